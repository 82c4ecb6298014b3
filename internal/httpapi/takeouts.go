package httpapi

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"github.com/google/uuid"

	"rowhouse/internal/db"
	"rowhouse/internal/errs"
	"rowhouse/internal/query"
	"rowhouse/internal/takeout"
)

// maxExports bounds the exports of a landlord that are made or kept at a time.
const maxExports = 3

// ExportData is what a landlord says of an export.
type ExportData struct {
	Note      *text `json:"note,omitempty" nullable:"true" maxLength:"1000" example:"For the accountant" doc:"What it is for; for you alone"`
	WithFiles *bool `json:"withFiles,omitempty" nullable:"true" default:"true" example:"true" doc:"Whether the files of your tickets are in it too, in parts of their own"`
}

// wholeExport is everything of a landlord's, as the API shows it.
type wholeExport struct {
	ID         uuid.UUID  `json:"id" format:"uuid"`
	State      string     `json:"state" enum:"REQUESTED,DONE,FAILED,EXPIRED" doc:"It is made while it is REQUESTED, and can be fetched while it is DONE"`
	Note       *string    `json:"note,omitempty" example:"For the accountant"`
	WithFiles  bool       `json:"withFiles"`
	Parts      int        `json:"parts" example:"2" doc:"How many parts there are by now: the rows first, then the files"`
	Rows       int64      `json:"rows" example:"4213" doc:"How many rows are in it by now"`
	Size       int64      `json:"size" example:"81234" doc:"Bytes of all parts"`
	FinishedAt *time.Time `json:"finishedAt,omitempty"`
	ExpiresAt  *time.Time `json:"expiresAt,omitempty" doc:"Until when it can be fetched; known once it is DONE"`
	Version    int32      `json:"version" example:"1" doc:"Counts changes; the ETag holds it"`
	CreatedAt  time.Time  `json:"createdAt"`
	UpdatedAt  time.Time  `json:"updatedAt"`
}

// takeoutRoutes are the operations of who takes everything with them.
func (a *API) takeoutRoutes(api huma.API) {
	o := creation("/exports", "createExport", "Export all that is yours")
	o.Description = "A job makes a zip of all your rows, each table as JSON and as CSV, and further zips of the files of your tickets. " +
		"They can be fetched for seven days. Answers 409 export_under_way while one is being made, and 409 too_many_exports while there are three."
	serve(api, sensitive(o), a.createExport)
	list(api, "/exports", "listExports", "List your exports", a.listExports)
	get(api, "/exports/{id}", "getExport", "Show how far an export is", a.getExport)
	remove(api, "/exports/{id}", "deleteExport", "Delete an export, and what was made of it", a.deleteExport)
	o = describe(http.MethodGet, "/exports/{id}/download", "getExportContent", "Download a part of an export", http.StatusOK,
		http.StatusForbidden, http.StatusNotFound)
	serve(api, sensitive(o), a.exportContent)
	api.OpenAPI().Paths[prefix+"/exports/{id}/download"].Get.Responses["200"].Content = binary("application/zip")
}

// createExport asks for it. The row queues the job that makes it.
func (a *API) createExport(ctx context.Context, in *createInput[ExportData]) (out *created[wholeExport], err error) {
	err = a.db.AsLandlord(ctx, db.ReadWrite, func(tx *db.Tx) (err error) {
		out, err = once(ctx, tx, in.IdempotencyKey, "createExport", in.Body, func() (*created[wholeExport], error) {
			if live, err := query.New().ExportsLive(ctx, tx); err != nil {
				return nil, err
			} else if live >= maxExports {
				return nil, errs.New(errs.Conflict, "too_many_exports", "There are %d exports of yours already. Fetch one of those, or delete the oldest.", maxExports)
			}
			row, err := query.New().ExportCreate(ctx, tx, query.ExportCreateParams{
				Note: (*string)(in.Body.Note), WithFiles: in.Body.WithFiles == nil || *in.Body.WithFiles,
			})
			if name, _, ok := db.Constraint(err); ok && name == "exports_open_key" {
				err = errs.New(errs.Conflict, "export_under_way", "An export of yours is being made already.").Because(err)
			}
			return &created[wholeExport]{
				Location: prefix + "/exports/" + row.ID.String(), ETag: etag(row.Version), Body: toExport(row),
			}, err
		})
		return err
	})
	return out, err
}

type listExportsInput struct {
	Paging
	Sort string `query:"sort" enum:"-createdAt" default:"-createdAt" doc:"Order: newest first."`
}

type listExportsOutput struct {
	Body struct {
		Exports    []wholeExport `json:"exports" nullable:"false"`
		Pagination pagination    `json:"pagination"`
	}
}

func (a *API) listExports(ctx context.Context, in *listExportsInput) (*listExportsOutput, error) {
	w, err := in.window(in.Sort)
	if err != nil {
		return nil, err
	}
	var rows []query.Export
	var total int64
	err = a.db.AsLandlord(ctx, db.ReadOnly, func(tx *db.Tx) (err error) {
		rows, total, err = query.New().ExportsPageWithCount(ctx, tx, query.ExportsPageParams{
			Sort: w.sort, AfterID: w.after, RowOffset: w.offset, RowLimit: w.rows(),
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	out := &listExportsOutput{}
	rows, out.Body.Pagination = paginate(w, rows, total, func(e query.Export) uuid.UUID { return e.ID })
	out.Body.Exports = each(rows, toExport)
	return out, nil
}

// getExport goes on with it first, where only the landlord's own session can.
func (a *API) getExport(ctx context.Context, in *Path) (*shown[wholeExport], error) {
	row, err := a.oneExport(ctx, in.ID)
	if err == nil && a.leaving.inSession && (row.State == "REQUESTED" || row.State == "DONE" && time.Now().After(*row.ExpiresAt)) {
		working, cancel := context.WithTimeout(ctx, inSessionTime)
		defer cancel()
		if _, err := a.takeout.Run(working, row.ID); err != nil && working.Err() == nil {
			slog.ErrorContext(ctx, "an export does not get on", "error", err)
		}
		row, err = a.oneExport(ctx, in.ID)
	}
	return &shown[wholeExport]{ETag: etag(row.Version), Body: toExport(row)}, err
}

func (a *API) oneExport(ctx context.Context, id uuid.UUID) (row query.Export, err error) {
	err = a.db.AsLandlord(ctx, db.ReadOnly, func(tx *db.Tx) (err error) {
		row, err = query.New().Export(ctx, tx, id)
		return err
	})
	return row, err
}

// deleteExport deletes the row first: who makes it stops then, and takes back what they
// were at.
func (a *API) deleteExport(ctx context.Context, in *removeInput) (*struct{}, error) {
	var row query.Export
	if err := a.db.AsLandlord(ctx, db.ReadWrite, func(tx *db.Tx) (err error) {
		if row, err = query.New().ExportForUpdate(ctx, tx, in.ID); err != nil {
			return forbidMissing(err)
		}
		if err := in.check(row.Version); err != nil {
			return err
		}
		return removal(query.New().ExportDelete(ctx, tx, in.ID))
	}); err != nil {
		return nil, err
	}
	a.deleteFiles(ctx, takeout.Keys(row.OwnerUserID, row.ID, len(row.PartBytes))...)
	return nil, nil
}

type exportContentInput struct {
	Path
	Part int `query:"part" minimum:"1" maximum:"10000" default:"1" example:"1" doc:"Which part, from 1"`
}

// zipContent is a part of an export.
type zipContent struct {
	ContentType   string `header:"Content-Type" doc:"application/zip"`
	ContentLength string `header:"Content-Length" doc:"Its size in bytes"`
	Disposition   string `header:"Content-Disposition" doc:"A name to save it under"`
	Body          func(huma.Context)
}

func (a *API) exportContent(ctx context.Context, in *exportContentInput) (*zipContent, error) {
	row, err := a.oneExport(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if row.State != "DONE" || time.Now().After(*row.ExpiresAt) || in.Part > len(row.PartBytes) {
		return nil, db.NotFound()
	}
	size := row.PartBytes[in.Part-1]
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sendingTime(size))
	file, err := a.files.Open(ctx, takeout.Key(row.OwnerUserID, row.ID, in.Part))
	if err != nil {
		cancel()
		return nil, fileTrouble(ctx, err)
	}
	return &zipContent{
		ContentType: "application/zip", ContentLength: strconv.FormatInt(size, 10),
		Disposition: `attachment; filename="rowhouse-` + row.CreatedAt.UTC().Format(time.DateOnly) + "-" + strconv.Itoa(in.Part) + `.zip"`,
		Body: func(hc huma.Context) {
			defer cancel()
			defer func() { _ = file.Close() }() // only read
			_, w := humachi.Unwrap(hc)
			_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(sendingTime(size))) // or the server's own holds
			hc.SetStatus(http.StatusOK)
			if _, err := io.Copy(hc.BodyWriter(), file); err != nil {
				slog.WarnContext(ctx, "a download ended early", "error", err)
				panic(http.ErrAbortHandler) // a file that is cut short must not look whole
			}
		},
	}, nil
}

func toExport(e query.Export) wholeExport {
	shown := wholeExport{
		ID: e.ID, State: e.State, Note: e.Note, WithFiles: e.WithFiles, Parts: len(e.PartBytes), Rows: e.RowsExported,
		FinishedAt: e.FinishedAt, ExpiresAt: e.ExpiresAt, Version: e.Version, CreatedAt: e.CreatedAt, UpdatedAt: e.UpdatedAt,
	}
	for _, size := range e.PartBytes {
		shown.Size += size
	}
	return shown
}
