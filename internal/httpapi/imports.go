package httpapi

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"rowhouse/internal/csvfile"
	"rowhouse/internal/db"
	"rowhouse/internal/errs"
	"rowhouse/internal/imports"
	"rowhouse/internal/query"
)

// importBatch is an import as the API shows it.
type importBatch struct {
	ID           uuid.UUID      `json:"id" format:"uuid"`
	Kind         string         `json:"kind" enum:"units,tenants,portfolio"`
	State        string         `json:"state" enum:"UPLOADED,CHECKED,RUNNING,COMPLETED,PARTIAL,CANCELLED,UNDOING,UNDONE" doc:"UPLOADED: the columns have to be mapped. CHECKED: the rows say what would come of them. PARTIAL: it was run, and some rows were not taken."`
	FileName     string         `json:"fileName" example:"tenants.csv"`
	Encoding     string         `json:"encoding" enum:"UTF-8,UTF-16LE,UTF-16BE,Windows-1252" doc:"As it was recognised"`
	Delimiter    string         `json:"delimiter" example:";" doc:"As it was recognised"`
	Columns      []importColumn `json:"columns" nullable:"false" doc:"What is in which column"`
	Missing      []string       `json:"missing" nullable:"false" example:"[\"lastName\"]" doc:"The fields without which the file can't be taken, and that no column holds"`
	OnExisting   string         `json:"onExisting" enum:"skip,fill,update"`
	UnknownUnits string         `json:"unknownUnits" enum:"error,create"`
	SendInvites  bool           `json:"sendInvites"`
	Invited      int32          `json:"invited" example:"98" doc:"How many tenants were invited, or would be"`
	Rows         importTiles    `json:"rows"`
	Done         int32          `json:"done" example:"500" doc:"How many rows were run; while it is undone, how many were undone"`
	Kept         int32          `json:"kept" example:"2" doc:"How many rows undoing has left alone, because somebody has worked on what they made since"`
	EarlierID    *uuid.UUID     `json:"earlierId,omitempty" format:"uuid" doc:"Another import of the very same file, if there is one"`
	StartedAt    *time.Time     `json:"startedAt,omitempty"`
	FinishedAt   *time.Time     `json:"finishedAt,omitempty"`
	UndoneAt     *time.Time     `json:"undoneAt,omitempty"`
	RowsPurgedAt *time.Time     `json:"rowsPurgedAt,omitempty" doc:"Since when its rows are gone, which are kept for 90 days after it has ended or was last touched"`
	Version      int32          `json:"version" example:"1" doc:"Counts changes; the ETag holds it"`
	CreatedAt    time.Time      `json:"createdAt"`
	UpdatedAt    time.Time      `json:"updatedAt"`
}

// importTiles are how many rows come to what. Total is the sum of the others but for
// Warning.
type importTiles struct {
	Total     int32 `json:"total" example:"120"`
	Create    int32 `json:"create" example:"100"`
	Update    int32 `json:"update" example:"10"`
	Unchanged int32 `json:"unchanged" example:"5"`
	Skip      int32 `json:"skip" example:"3" doc:"Blank lines, what is in the file twice or in your books already, and what was cancelled"`
	Error     int32 `json:"error" example:"2"`
	Warning   int32 `json:"warning" example:"1" doc:"How many of those that are taken have a code: somebody else lives in the unit then (overlapping_tenancy), or an invite is open already (invite_pending)"`
}

// checked reports whether each row has come to something.
func (t importTiles) checked() bool {
	return t.Create+t.Update+t.Unchanged+t.Skip+t.Error == t.Total
}

// importColumn is a column of the file.
type importColumn struct {
	Heading   string   `json:"heading" example:"Vorname"`
	Field     string   `json:"field" example:"firstName" doc:"What it holds; empty if it is left out"`
	Suggested string   `json:"suggested,omitempty" example:"lastName" doc:"What its heading may mean, if it is left out"`
	Samples   []string `json:"samples,omitempty" example:"[\"Ada\",\"Grace\"]" doc:"Its first values; absent in lists"`
}

// importRow is a row of the file.
type importRow struct {
	ID       uuid.UUID  `json:"id" format:"uuid"`
	N        int32      `json:"n" example:"41" doc:"Counts the rows"`
	Line     int32      `json:"line" example:"42" doc:"Where it begins in the file"`
	Cells    []string   `json:"cells" nullable:"false" doc:"As in the file, or as edited since"`
	Action   *string    `json:"action,omitempty" enum:"CREATE,UPDATE,UNCHANGED,SKIP,ERROR" doc:"What came of it, or would; absent until the columns are mapped"`
	Code     *string    `json:"code,omitempty" example:"invalid_email" doc:"Why it is skipped or not taken, or what to look at though it is taken, for programs; stable"`
	Field    *string    `json:"field,omitempty" example:"email" doc:"What of it is to blame"`
	Message  *string    `json:"message,omitempty" example:"This is not an e-mail address." doc:"Why, for people"`
	UnitID   *uuid.UUID `json:"unitId,omitempty" format:"uuid" doc:"The unit that it is about; once the import was run"`
	TenantID *uuid.UUID `json:"tenantId,omitempty" format:"uuid" doc:"The tenant that it is about; once the import was run"`
	InviteID *uuid.UUID `json:"inviteId,omitempty" format:"uuid" doc:"The invite that it has sent; once the import was run"`
	Undone   *string    `json:"undone,omitempty" enum:"REVERSED,EDITED,IN_USE" doc:"What undoing came to: it was reversed, or left alone because somebody has edited, or uses, what it made"`
}

// importField is a field that a column can hold, or nothing.
type importField string

// TransformSchema lists the fields of all kinds of files.
func (importField) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	for _, kind := range []imports.Kind{imports.Units, imports.Tenants, imports.Portfolio} {
		for _, field := range kind.Fields() {
			if !slices.Contains(s.Enum, any(field.Name)) {
				s.Enum = append(s.Enum, field.Name)
			}
		}
	}
	s.Enum = append(s.Enum, "")
	s.PrecomputeMessages()
	return s
}

// importRoutes are the operations on imports.
func (a *API) importRoutes(api huma.API) {
	for _, kind := range []struct {
		kind              imports.Kind
		path, id, summary string
	}{
		{imports.Units, "/units/import", "importUnits", "Import units from a spreadsheet"},
		{imports.Tenants, "/tenants/import", "importTenants", "Import tenants from a spreadsheet"},
		{imports.Portfolio, "/portfolio/import", "importPortfolio", "Import units and who lives in them from one spreadsheet"},
	} {
		create(api, kind.path, kind.id, kind.summary, a.importFile(kind.kind))
		api.OpenAPI().Paths[prefix+kind.path].Post.RequestBody = &huma.RequestBody{
			Required: true,
			Content: map[string]*huma.MediaType{
				"text/csv": {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}},
				"multipart/form-data": {Schema: &huma.Schema{
					Type:       huma.TypeObject,
					Properties: map[string]*huma.Schema{"file": {Type: huma.TypeString, Format: "binary"}},
					Required:   []string{"file"},
				}},
			},
			Description: "A file of at most 10 MiB, 10000 rows and 64 columns; UTF-8, UTF-16 or Windows-1252, with commas, semicolons or tabs. " +
				"It is checked and not run. Its rows are kept for 90 days after the import has ended or was last touched. " +
				"Answers 409 too_many_imports while 20 imports are not finished.",
		}
		template := "/imports/templates/" + string(kind.kind) + ".csv"
		list(api, template, strings.Replace(kind.id, "import", "download", 1)+"Template", "Download a spreadsheet to fill in", a.importTemplate(kind.kind))
		api.OpenAPI().Paths[prefix+template].Get.Responses["200"].Content = binary("text/csv")
	}
	remove(api, "/imports/{id}", "deleteImport", "Forget an import and its file; what came of it stays", a.deleteImport)
	list(api, "/imports", "listImports", "List your imports", a.listImports)
	get(api, "/imports/{id}", "getImport", "Show an import and how far it is", a.getImport)
	register(api, http.MethodGet, "/imports/{id}/rows", "listImportRows", "List the rows of an import", http.StatusOK, a.listImportRows,
		http.StatusNotFound, http.StatusGone)
	register(api, http.MethodGet, "/imports/{id}/failed.csv", "getImportFailures", "Download the rows that are not taken, to mend and send again",
		http.StatusOK, a.importFailed, http.StatusNotFound, http.StatusGone)
	api.OpenAPI().Paths[prefix+"/imports/{id}/failed.csv"].Get.Responses["200"].Content = binary("text/csv")
	change(api, http.MethodPatch, "/imports/{id}/mapping", "mapImport", "Say what is in which column, and how to take it", a.mapImport)
	change(api, http.MethodPatch, "/imports/{id}/rows/{n}", "editImportRow", "Change a cell of an import, and check that row", a.editImportRow)
	serve(api, sensitive(changing(http.MethodPost, "/imports/{id}/run", "runImport", "Run an import")), a.changeImport(a.imports.Start))
	change(api, http.MethodPost, "/imports/{id}/cancel", "cancelImport", "Stop an import; what was done stays", a.changeImport(a.imports.Cancel))
	serve(api, sensitive(changing(http.MethodPost, "/imports/{id}/undo", "undoImport", "Take back what an import did, but for what was edited since")), a.changeImport(a.imports.Undo))
}

type listImportsInput struct {
	Paging
	Sort  string `query:"sort" enum:"createdAt,-createdAt" default:"-createdAt" doc:"Order; a minus turns it round."`
	Kind  string `query:"kind" enum:"units,tenants,portfolio" doc:"Only imports of this kind."`
	State string `query:"state" enum:"UPLOADED,CHECKED,RUNNING,COMPLETED,PARTIAL,CANCELLED,UNDOING,UNDONE" doc:"Only imports in this state."`
}

type listImportsOutput struct {
	Body struct {
		Imports    []importBatch `json:"imports" nullable:"false"`
		Pagination pagination    `json:"pagination"`
	}
}

func (a *API) listImports(ctx context.Context, in *listImportsInput) (*listImportsOutput, error) {
	w, err := in.window(in.Sort)
	if err != nil {
		return nil, err
	}
	var rows []query.ImportBatch
	var total int64
	err = a.db.AsLandlord(ctx, db.ReadOnly, func(tx *db.Tx) (err error) {
		rows, total, err = query.New().ImportBatchesPageWithCount(ctx, tx, query.ImportBatchesPageParams{
			Kind: given(in.Kind), State: given(in.State), Sort: w.sort, AfterID: w.after, RowOffset: w.offset, RowLimit: w.rows(),
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	out := &listImportsOutput{}
	rows, out.Body.Pagination = paginate(w, rows, total, func(b query.ImportBatch) uuid.UUID { return b.ID })
	out.Body.Imports = each(rows, func(b query.ImportBatch) importBatch { return toImport(b, nil) })
	return out, nil
}

func (a *API) getImport(ctx context.Context, in *Path) (*shown[importBatch], error) {
	return a.showImport(ctx, in.ID)
}

func (a *API) showImport(ctx context.Context, id uuid.UUID) (*shown[importBatch], error) {
	var batch query.ImportBatch
	var samples [][]byte
	var earlier []uuid.UUID
	err := a.db.AsLandlord(ctx, db.ReadOnly, func(tx *db.Tx) (err error) {
		batch, samples, earlier, err = query.New().ImportShown(ctx, tx, id)
		return err
	})
	if err != nil {
		return nil, err
	}
	table := make([][]string, len(samples))
	for i, cells := range samples {
		if table[i], err = imports.Cells(cells); err != nil {
			return nil, err
		}
	}
	body := toImport(batch, table)
	if len(earlier) > 0 {
		body.EarlierID = &earlier[0]
	}
	return &shown[importBatch]{ETag: etag(batch.Version), Body: body}, nil
}

// sampleValues is how many values of a column are shown.
const sampleValues = 3

func toImport(b query.ImportBatch, rows [][]string) importBatch {
	kind, mapping := imports.Kind(b.Kind), csvfile.Mapping(b.Mapping)
	suggested := mapping.Suggest(b.Header, kind.Fields())
	columns := make([]importColumn, len(b.Header))
	for i, heading := range b.Header {
		columns[i] = importColumn{Heading: heading, Field: mapping[i], Suggested: suggested[i]}
		for _, row := range rows {
			if i < len(row) && csvfile.Line(row[i]) != "" && len(columns[i].Samples) < sampleValues {
				columns[i].Samples = append(columns[i].Samples, cut(csvfile.Line(row[i]), 100))
			}
		}
	}
	return importBatch{
		ID: b.ID, Kind: b.Kind, State: b.State, FileName: b.FileName, Encoding: b.Encoding, Delimiter: b.Delimiter,
		Columns: columns, Missing: append([]string{}, kind.Missing(mapping)...), OnExisting: b.OnExisting, UnknownUnits: b.UnknownUnits,
		SendInvites: b.SendInvites, Invited: b.Invited,
		Rows: importTiles{
			Total: b.RowCount, Create: b.Created, Update: b.Updated, Unchanged: b.Unchanged, Skip: b.Skipped, Error: b.Failed, Warning: b.Warned,
		},
		Done: b.Done, Kept: b.Kept, StartedAt: b.StartedAt, FinishedAt: b.FinishedAt, UndoneAt: b.UndoneAt, RowsPurgedAt: b.RowsPurgedAt,
		Version: b.Version, CreatedAt: b.CreatedAt, UpdatedAt: b.UpdatedAt,
	}
}

type listImportRowsInput struct {
	Path
	Paging
	Sort   string `query:"sort" enum:"n" default:"n" doc:"Order: that of the file."`
	Filter string `query:"filter" enum:"CREATE,UPDATE,UNCHANGED,SKIP,ERROR" doc:"Only rows that come to this."`
	Code   string `query:"code" maxLength:"50" pattern:"^[a-z_]+$" example:"invalid_email" doc:"Only rows with this code."`
}

type listImportRowsOutput struct {
	Body struct {
		Rows       []importRow `json:"rows" nullable:"false"`
		Pagination pagination  `json:"pagination"`
	}
}

func (a *API) listImportRows(ctx context.Context, in *listImportRowsInput) (*listImportRowsOutput, error) {
	w, err := in.window(in.Sort)
	if err != nil {
		return nil, err
	}
	var batch query.ImportBatch
	var rows []query.ImportRow
	var total int64
	err = a.db.AsLandlord(ctx, db.ReadOnly, func(tx *db.Tx) (err error) {
		batch, rows, total, err = query.New().ImportRowsPageWithCount(ctx, tx, query.ImportRowsPageParams{
			BatchID: in.ID, Action: given(in.Filter), Code: given(in.Code),
			Sort: w.sort, AfterID: w.after, RowOffset: w.offset, RowLimit: w.rows(),
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := imports.Readable(batch); err != nil {
		return nil, err
	}
	out := &listImportRowsOutput{}
	rows, out.Body.Pagination = paginate(w, rows, total, func(r query.ImportRow) uuid.UUID { return r.ID })
	out.Body.Rows = make([]importRow, len(rows))
	for i, row := range rows {
		if out.Body.Rows[i], err = toImportRow(row); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func toImportRow(r query.ImportRow) (importRow, error) {
	cells, err := imports.Cells(r.Cells)
	shown := importRow{
		ID: r.ID, N: r.N, Line: r.Line, Cells: cells, Action: r.Action, Code: r.Code, Field: r.Field, Message: r.Message, Undone: r.Undone,
	}
	if r.DoneAt != nil { // before, it may be what a check has made and taken back
		shown.UnitID, shown.TenantID, shown.InviteID = r.UnitID, r.TenantID, r.InviteID
	}
	return shown, err
}

type mapImportInput struct {
	Path
	IfMatch
	Body struct {
		Mapping      []importField `json:"mapping,omitempty" maxItems:"64" example:"[\"firstName\",\"lastName\",\"\"]" doc:"What each column holds, from the first; an empty text leaves the column out"`
		OnExisting   string        `json:"onExisting,omitempty" enum:"skip,fill,update"`
		UnknownUnits string        `json:"unknownUnits,omitempty" enum:"error,create"`
		SendInvites  *bool         `json:"sendInvites,omitempty" nullable:"true" example:"true" doc:"As it is, if left out"`
	}
}

func (a *API) mapImport(ctx context.Context, in *mapImportInput) (*shown[importBatch], error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), transferTime)
	defer cancel()
	err := a.imports.Remap(ctx, in.ID, func(batch query.ImportBatch) (csvfile.Mapping, imports.Options, error) {
		mapping, options := csvfile.Mapping(batch.Mapping), imports.Options{OnExisting: batch.OnExisting, UnknownUnits: batch.UnknownUnits, SendInvites: batch.SendInvites}
		if in.Body.Mapping != nil {
			mapping = each(in.Body.Mapping, func(f importField) string { return string(f) })
			if wrong := mapping.Check(len(batch.Header), imports.Kind(batch.Kind).Fields()); wrong != "" {
				return nil, options, invalid("/mapping", wrong)
			}
		}
		if in.Body.OnExisting != "" {
			options.OnExisting = in.Body.OnExisting
		}
		if in.Body.UnknownUnits != "" {
			options.UnknownUnits = in.Body.UnknownUnits
		}
		if in.Body.SendInvites != nil {
			options.SendInvites = *in.Body.SendInvites
		}
		return mapping, options, in.check(batch.Version)
	})
	if err != nil {
		return nil, err
	}
	return a.showImport(ctx, in.ID)
}

// lockImport locks an import for the rest of the transaction, if it is the version that
// the caller has read.
func lockImport(ctx context.Context, tx *db.Tx, id uuid.UUID, m IfMatch) error {
	batch, err := query.New().ImportBatchLock(ctx, tx, id)
	if err != nil {
		return forbidMissing(err)
	}
	return m.check(batch.Version)
}

type editImportRowInput struct {
	Path
	N    int32 `path:"n" minimum:"1" maximum:"10000" doc:"Which row, as the list counts them"`
	Body struct {
		Field importField `json:"field" example:"email" doc:"What the cell holds"`
		Value cell        `json:"value" maxLength:"10000" example:"ada@example.com"`
	}
}

func (a *API) editImportRow(ctx context.Context, in *editImportRowInput) (*shown[importRow], error) {
	if in.Body.Field == "" {
		return nil, invalid("/field", "names no field")
	}
	if err := a.imports.Edit(ctx, in.ID, in.N, string(in.Body.Field), string(in.Body.Value)); err != nil {
		return nil, err
	}
	var batch query.ImportBatch
	var row query.ImportRow
	err := a.db.AsLandlord(ctx, db.ReadOnly, func(tx *db.Tx) (err error) {
		batch, row, err = query.New().ImportRowShown(ctx, tx, query.ImportRowParams{BatchID: in.ID, N: in.N})
		return err
	})
	if err != nil {
		return nil, err
	}
	body, err := toImportRow(row)
	return &shown[importRow]{ETag: etag(batch.Version), Body: body}, err
}

type changeImportInput struct {
	Path
	IfMatch
}

// changeImport takes an import to another state. What is to be done then, the worker
// does: the database queues it.
func (a *API) changeImport(to func(context.Context, *db.Tx, uuid.UUID) error) handler[changeImportInput, shown[importBatch]] {
	return func(ctx context.Context, in *changeImportInput) (*shown[importBatch], error) {
		err := a.db.AsLandlord(ctx, db.ReadWrite, func(tx *db.Tx) error {
			if err := lockImport(ctx, tx, in.ID, in.IfMatch); err != nil {
				return err
			}
			return to(ctx, tx, in.ID)
		})
		if err != nil {
			return nil, err
		}
		return a.showImport(ctx, in.ID)
	}
}

func (a *API) deleteImport(ctx context.Context, in *removeInput) (*struct{}, error) {
	return nil, a.db.AsLandlord(ctx, db.ReadWrite, func(tx *db.Tx) error {
		if err := lockImport(ctx, tx, in.ID, in.IfMatch); err != nil {
			return err
		}
		deleted, err := query.New().ImportDelete(ctx, tx, in.ID)
		if err == nil && !deleted {
			err = errs.New(errs.Conflict, "not_possible_now", "This import is running or being undone.")
		}
		return err
	})
}
