package httpapi

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"github.com/google/uuid"

	"rowhouse/internal/db"
	"rowhouse/internal/errs"
	"rowhouse/internal/farewell"
	"rowhouse/internal/query"
)

// leaving is what the operations of who leaves need.
type leaving struct {
	*farewell.Farewell
	now       func() time.Time
	inSession bool
	grace     time.Duration
}

func newLeaving(c Config) leaving {
	now := c.Now
	if now == nil {
		now = time.Now
	}
	return leaving{farewell.New(farewell.Config{DB: c.DB, Files: c.Files, Now: now}), now, c.FilesInSession, c.DeletionGrace}
}

// inSessionTime is how long a landlord's own request works at their leaving.
const inSessionTime = 8 * time.Second

// What to say to delete an account, and to delete it only if there is nothing in it.
const (
	deleteAll     = "delete my account"
	deleteNothing = "delete my empty account"
)

// AccountDeletionData is what somebody says who deletes their account.
type AccountDeletionData struct {
	Confirm string `json:"confirm" enum:"delete my account,delete my empty account" doc:"Typed by the person. With the second, the answer is 409 while there are properties, units, tenants, contractors or tickets."`
}

// accountDeletion is a landlord's leaving as the API shows it.
type accountDeletion struct {
	ID           uuid.UUID  `json:"id" format:"uuid"`
	State        string     `json:"state" enum:"REQUESTED,EXPORTED,REMOVING,DONE,FAILED,CANCELLED" doc:"REQUESTED until all is exported, EXPORTED until removeAfter. What is REMOVING can't be cancelled any more. After FAILED ask anew: what was removed is gone."`
	RemoveAfter  time.Time  `json:"removeAfter" doc:"Nothing is removed before then"`
	ExportParts  int        `json:"exportParts" example:"2" doc:"How many parts of the export can be fetched: the rows first, then the files"`
	RowsExported int64      `json:"rowsExported" example:"4213"`
	RowsRemoved  int64      `json:"rowsRemoved" example:"0"`
	FilesRemoved int64      `json:"filesRemoved" example:"0"`
	ProfileKept  bool       `json:"profileKept" doc:"You are somebody's tenant: what they and you know about that stays"`
	SignIn       string     `json:"signIn" example:"Your sign-in is kept by the identity provider and is not removed here." doc:"What is left to do"`
	ExportedAt   *time.Time `json:"exportedAt,omitempty"`
	EndedAt      *time.Time `json:"endedAt,omitempty"`
	Version      int32      `json:"version" example:"1" doc:"Counts changes; the ETag holds it"`
	CreatedAt    time.Time  `json:"createdAt"`
	UpdatedAt    time.Time  `json:"updatedAt"`
}

// accountRoutes are the operations of who leaves.
func (a *API) accountRoutes(api huma.API) {
	get(api, "/account/deletion", "getAccountDeletion", "Show how far the deletion of your account is", a.getAccountDeletion)
	o := describe(http.MethodPost, "/account/deletion", "deleteAccount", "Delete your account: export all that is yours, and remove it", http.StatusAccepted,
		http.StatusForbidden, http.StatusConflict, http.StatusPreconditionFailed, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
	o.Description = "Everything of yours is exported, and removed once removeAfter has passed; until then it can be cancelled. " +
		"What is left is a note, without your name, that it was done. The sign-in itself is the identity provider's, and can only be removed there: " +
		"sign out afterwards. Who signs in again has an empty account."
	serve(api, sensitive(o), a.deleteAccount)
	change(api, http.MethodPost, "/account/deletion/cancel", "cancelAccountDeletion", "Keep your account after all", a.cancelAccountDeletion)
	o = describe(http.MethodGet, "/account/deletion/export", "getAccountExport", "Download a part of the export", http.StatusOK,
		http.StatusForbidden, http.StatusNotFound)
	serve(api, sensitive(o), a.accountExport)
	api.OpenAPI().Paths[prefix+"/account/deletion/export"].Get.Responses["200"].Content = binary("application/zip")
}

// getAccountDeletion goes on with it first, where only the landlord's own session can.
func (a *API) getAccountDeletion(ctx context.Context, _ *struct{}) (*shown[accountDeletion], error) {
	row, err := a.latestDeletion(ctx)
	if err == nil && a.leaving.inSession && (row.EndedAt == nil || len(row.ExportKeys) > 0) {
		working, cancel := context.WithTimeout(ctx, inSessionTime)
		defer cancel()
		if _, err := a.leaving.Run(working, row.ID); err != nil && working.Err() == nil {
			slog.ErrorContext(ctx, "the deletion of an account does not get on", "error", err)
		}
		row, err = a.latestDeletion(ctx)
	}
	return showDeletion(row), err
}

func (a *API) latestDeletion(ctx context.Context) (row query.AccountDeletion, err error) {
	err = a.db.AsLandlord(ctx, db.ReadOnly, func(tx *db.Tx) (err error) {
		row, err = query.New().AccountDeletionLatest(ctx, tx)
		return err
	})
	return row, err
}

type deleteAccountInput struct {
	IfMatch
	Body AccountDeletionData
}

// deleteAccount asks for it. The row queues the job that does it.
func (a *API) deleteAccount(ctx context.Context, in *deleteAccountInput) (*shown[accountDeletion], error) {
	var row query.AccountDeletion
	err := a.db.AsLandlord(ctx, db.ReadWrite, func(tx *db.Tx) error {
		if err := in.checkProfile(ctx, tx); err != nil {
			return err
		}
		if in.Body.Confirm == deleteNothing {
			if has, err := query.New().AccountHasData(ctx, tx); err != nil {
				return err
			} else if has {
				return errs.New(errs.Conflict, "account_has_data", "There is still something in your account. To remove all of it, say %q.", deleteAll).
					At(errs.Field{Pointer: "/confirm", Message: "is for an empty account"})
			}
		}
		var err error
		row, err = query.New().AccountDeletionCreate(ctx, tx, a.leaving.now().Add(a.leaving.grace))
		return err
	})
	if name, _, ok := db.Constraint(err); ok && name == "account_deletions_open_key" {
		err = errs.New(errs.Conflict, "deletion_under_way", "Your account is being deleted already.").Because(err)
	}
	return showDeletion(row), err
}

type cancelAccountDeletionInput struct{ IfMatch }

// cancelAccountDeletion leaves to app.guard_account_deletion whether it still can be.
func (a *API) cancelAccountDeletion(ctx context.Context, in *cancelAccountDeletionInput) (*shown[accountDeletion], error) {
	var row query.AccountDeletion
	err := a.db.AsLandlord(ctx, db.ReadWrite, func(tx *db.Tx) error {
		current, err := query.New().AccountDeletionForUpdate(ctx, tx)
		if err := in.check(current.Version); err != nil { // of what is not there, too
			return err
		}
		if err != nil {
			return forbidMissing(err)
		}
		if row = current; current.State == "CANCELLED" {
			return nil
		}
		row, err = query.New().AccountDeletionCancel(ctx, tx, current.ID)
		return forbidMissing(err)
	})
	return showDeletion(row), err
}

type accountExportInput struct {
	Part int `query:"part" minimum:"1" maximum:"10000" default:"1" example:"1" doc:"Which part, from 1"`
}

// exportPart is a part of an export.
type exportPart struct {
	ContentType string `header:"Content-Type" doc:"application/zip"`
	Disposition string `header:"Content-Disposition" doc:"A name to save it under"`
	Body        func(huma.Context)
}

func (a *API) accountExport(ctx context.Context, in *accountExportInput) (*exportPart, error) {
	var row query.AccountDeletion
	if err := a.db.AsLandlord(ctx, db.ReadOnly, func(tx *db.Tx) (err error) {
		row, err = query.New().AccountDeletionExport(ctx, tx)
		return err
	}); err != nil {
		return nil, err
	}
	if in.Part > len(row.ExportKeys) {
		return nil, db.NotFound()
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), transferTime)
	file, err := a.files.Open(ctx, row.ExportKeys[in.Part-1])
	if err != nil {
		cancel()
		return nil, fileTrouble(ctx, err)
	}
	return &exportPart{
		ContentType: "application/zip", Disposition: `attachment; filename="rowhouse-export.zip"`,
		Body: func(hc huma.Context) {
			defer cancel()
			defer func() { _ = file.Close() }() // only read
			_, w := humachi.Unwrap(hc)
			_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(transferTime)) // or the server's own holds
			hc.SetStatus(http.StatusOK)
			if _, err := io.Copy(hc.BodyWriter(), file); err != nil {
				slog.WarnContext(ctx, "a download ended early", "error", err)
			}
		},
	}, nil
}

func showDeletion(d query.AccountDeletion) *shown[accountDeletion] {
	return &shown[accountDeletion]{ETag: etag(d.Version), Body: accountDeletion{
		ID: d.ID, State: d.State, RemoveAfter: d.RemoveAfter, ExportParts: len(d.ExportKeys), RowsExported: d.RowsExported,
		RowsRemoved: d.RowsRemoved, FilesRemoved: d.FilesRemoved, ProfileKept: d.ProfileKept,
		SignIn: "Your sign-in is kept by the identity provider and is not removed here: that takes an administrator there. " +
			"Sign out when this is done; who signs in again has an empty account.",
		ExportedAt: d.ExportedAt, EndedAt: d.EndedAt, Version: d.Version, CreatedAt: d.CreatedAt, UpdatedAt: d.UpdatedAt,
	}}
}
