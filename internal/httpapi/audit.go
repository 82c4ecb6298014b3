package httpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"rowhouse/internal/db"
	"rowhouse/internal/errs"
	"rowhouse/internal/query"
)

// maxMicros is the last moment that Postgres and we can both name.
const maxMicros = 253402300799_000000

// AuditHeadline is what happened, without the values. It is exported for the encoder,
// which would not see an embedded type's fields otherwise.
type AuditHeadline struct {
	ID        uuid.UUID `json:"id" format:"uuid"`
	At        time.Time `json:"at"`
	ActorKind string    `json:"actorKind" enum:"landlord,tenant,user,system" doc:"Who did it: you, a tenant of yours, somebody signed in who claimed an invite, or Rowhouse"`
	Action    string    `json:"action" enum:"insert,update,delete"`
	Table     string    `json:"table" example:"units" doc:"What kind of row was changed"`
	RowID     uuid.UUID `json:"rowId" format:"uuid" doc:"Which one"`
}

// auditEntry is one change of one row.
type auditEntry struct {
	AuditHeadline
	ActorUserID *uuid.UUID      `json:"actorUserId,omitempty" format:"uuid"`
	RequestID   *string         `json:"requestId,omitempty" example:"0f8d6c1e5a3b4c2d9e7f60718293a4b5" doc:"The X-Request-Id of the request that did it"`
	Before      json.RawMessage `json:"before,omitempty" doc:"An object: of an update the columns that changed, of a delete the whole row. Secrets are ***."`
	After       json.RawMessage `json:"after,omitempty" doc:"An object: of an update the columns that changed, of an insert the whole row. Secrets are ***."`
}

// AuditFilters say which entries of the trail.
type AuditFilters struct {
	Table     string     `query:"table" enum:"properties,units,tenants,tenancies,tenant_invites,contractors,tickets,ticket_comments,attachments,support_grants,import_batches,exports" doc:"Only changes of this kind of row."`
	RowID     optionalID `query:"rowId" doc:"Only changes of this row."`
	ActorKind string     `query:"actorKind" enum:"landlord,tenant,user,system" doc:"Only what such people did."`
	Action    string     `query:"action" enum:"insert,update,delete" doc:"Only this."`
	From      time.Time  `query:"from" example:"2026-11-01T00:00:00Z" doc:"Only from this moment on (RFC 3339)."`
	To        time.Time  `query:"to" example:"2026-12-01T00:00:00Z" doc:"Only before this moment (RFC 3339)."`
}

type listAuditInput struct {
	Paging
	AuditFilters
}

type listAuditOutput struct {
	Body struct {
		Audit      []auditEntry `json:"audit" nullable:"false"`
		Pagination pagination   `json:"pagination"`
	}
}

func (f AuditFilters) params() query.AuditPageParams {
	return query.AuditPageParams{
		TableName: given(f.Table), RowID: f.RowID.given(), ActorKind: given(f.ActorKind), Action: given(f.Action),
		FromAt: given(f.From), ToAt: given(f.To),
	}
}

// listAudit returns the caller's trail, newest first. What is recorded while somebody
// walks through it comes before where they began, and disturbs nothing.
func (a *API) listAudit(ctx context.Context, in *listAuditInput) (*listAuditOutput, error) {
	w, at, id, err := in.auditWindow()
	if err != nil {
		return nil, err
	}
	var rows []query.AuditEntry
	var total int64
	err = a.db.AsLandlord(ctx, db.ReadOnly, func(tx *db.Tx) (err error) {
		page := in.params()
		page.AfterAt, page.AfterID, page.RowOffset, page.RowLimit = at, id, w.offset, w.rows()
		rows, total, err = query.New().AuditPageWithCount(ctx, tx, page)
		return err
	})
	if err != nil {
		return nil, err
	}
	out := &listAuditOutput{}
	rows, out.Body.Pagination = paginate(w, rows, total, func(e query.AuditEntry) uuid.UUID { return e.ID })
	if out.Body.Pagination.NextCursor != nil {
		cursor := auditCursor(rows[len(rows)-1])
		out.Body.Pagination.NextCursor = &cursor
	}
	out.Body.Audit = each(rows, toAuditEntry)
	return out, nil
}

// auditWindow is window for rows whose place is a time and then an id. Both are nil
// unless a walk is under way.
func (in *listAuditInput) auditWindow() (w window, at *time.Time, id *uuid.UUID, err error) {
	if in.Cursor == "" || in.Cursor == "*" {
		w, err = in.window("")
		return w, nil, nil, err
	}
	micros, text, _ := strings.Cut(in.Cursor, ".")
	n, err := strconv.ParseInt(micros, 10, 64)
	last, parseErr := uuid.Parse(text)
	if err != nil || parseErr != nil || n < 0 || n > maxMicros {
		return window{}, nil, nil, errs.New(errs.Invalid, "invalid_request", "The request has errors; nothing was changed.").
			At(errs.Field{Parameter: "cursor", Message: "expected * or a nextCursor from an earlier answer"})
	}
	place := time.UnixMicro(n)
	return window{limit: min(in.Limit, maxPageSize)}, &place, &last, nil
}

// auditCursor says behind which entry a walk goes on; Postgres keeps microseconds.
func auditCursor(e query.AuditEntry) string {
	return fmt.Sprintf("%d.%s", e.At.UnixMicro(), e.ID)
}

func toAuditEntry(e query.AuditEntry) auditEntry {
	return auditEntry{
		AuditHeadline: AuditHeadline{
			ID: e.ID, At: e.At, ActorKind: e.ActorKind, Action: e.Action, Table: e.TableName, RowID: e.RowID,
		},
		ActorUserID: e.ActorUserID, RequestID: e.RequestID, Before: e.Before, After: e.After,
	}
}
