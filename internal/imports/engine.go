package imports

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"rowhouse/internal/csvfile"
	"rowhouse/internal/db"
	"rowhouse/internal/errs"
	"rowhouse/internal/invitetoken"
	"rowhouse/internal/query"
)

const (
	// chunkRows is how many rows one transaction takes: enough that its fixed number of
	// statements does not count, and few enough that others' rows are not locked long.
	chunkRows = 500
	// maxOpen is how many imports of a landlord can be unfinished at a time.
	maxOpen = 20
	// undoDays is how long what an import did can be undone.
	undoDays = 30
)

// The states of an import.
const (
	Uploaded  = "UPLOADED"  // its columns have to be mapped
	Checked   = "CHECKED"   // its rows say what would come of them
	Running   = "RUNNING"   // Run is at it, or should be
	Completed = "COMPLETED" // every row was taken or said nothing new
	Partial   = "PARTIAL"   // some rows were not taken
	Cancelled = "CANCELLED" // stopped between two chunks; what was done stays
	Undoing   = "UNDOING"   // Run takes back what it did
	Undone    = "UNDONE"
)

// Importer takes files into landlords' books. Every method acts for the landlord in
// ctx, and sees nobody else's imports: one that is missing or another's is refused as
// db.Forbidden.
type Importer struct {
	db   *db.DB
	keys invitetoken.Keyring
}

// New returns an Importer that works on d, and makes the tokens of invites with keys.
func New(d *db.DB, keys invitetoken.Keyring) *Importer { return &Importer{db: d, keys: keys} }

// Options say how to take a file.
type Options struct {
	OnExisting   string // Skip, Fill or Update
	UnknownUnits string // "error" or "create", in a file of tenants
	SendInvites  bool   // to those whom nobody has invited before
}

// Upload is a file that came in.
type Upload struct {
	Kind     Kind
	FileName string
	SHA256   []byte
	File     *csvfile.File
	Options
}

// Store keeps a file's rows in tx, as they are read by the mapping that its headings
// suggest, and returns the import. It fails with a *csvfile.Error if the file cannot be
// read to its end, and as errs.Conflict if too many imports are not finished. Check says
// what would come of it.
func (im *Importer) Store(ctx context.Context, tx *db.Tx, u Upload) (batch query.ImportBatch, err error) {
	if err := room(query.New().ImportsOpen(ctx, tx)); err != nil {
		return batch, err
	}
	count := int32(0)
	for _, err := range u.File.Rows() { // all of them first: a file is taken whole or not at all
		if err != nil {
			return batch, err
		}
		count++
	}
	mapping := csvfile.Match(u.File.Header, u.Kind.Fields())
	batch, err = query.New().ImportBatchCreate(ctx, tx, query.ImportBatchCreateParams{
		Kind: string(u.Kind), FileName: u.FileName, FileSha256: u.SHA256, Encoding: string(u.File.Encoding),
		Delimiter: string(u.File.Delimiter), Header: u.File.Header, Mapping: mapping,
		OnExisting: u.OnExisting, UnknownUnits: u.UnknownUnits, SendInvites: u.SendInvites, RowCount: count,
	})
	if err != nil {
		return batch, err
	}
	var items []map[string]any
	flush := func() error {
		err := query.New().ImportRowsInsert(ctx, tx, query.ImportRowsInsertParams{BatchID: batch.ID, Sent: encode(items)})
		items = items[:0]
		return err
	}
	n := 0
	for line, err := range u.File.Rows() {
		if err != nil {
			return batch, err
		}
		n++
		cells := slices.Clone(line.Cells)
		item := read(u.Kind, mapping, cells)
		item["n"], item["line"], item["cells"] = n, line.Line, append([]string{}, cells...)
		if items = append(items, item); len(items) == chunkRows {
			if err := flush(); err != nil {
				return batch, err
			}
		}
	}
	if len(items) > 0 {
		if err := flush(); err != nil {
			return batch, err
		}
	}
	// once more, with those that were sent at the same time; last, for others wait then
	open, err := query.New().ImportsOpenInTurn(ctx, tx)
	return batch, room(open-1, err) // but for this one
}

// room refuses another import while so many are open.
func room(open int64, err error) error {
	if err == nil && open >= maxOpen {
		err = errs.New(errs.Conflict, "too_many_imports", "There are %d imports of yours that are not finished. Run, cancel or delete one of those first.", maxOpen)
	}
	return err
}

// read is what import_rows keeps of a row's meaning.
func read(kind Kind, m csvfile.Mapping, cells []string) map[string]any {
	r := kind.Read(m, cells)
	if p := r.Problem; p != nil {
		item := map[string]any{"action": Failed, "code": p.Code, "message": p.Message}
		if p.Code == CodeBlank {
			item["action"] = Skipped
		}
		if p.Field != "" {
			item["field"] = p.Field
		}
		return item
	}
	item := map[string]any{"fields": r.Fields}
	if r.SameAs != "" {
		item["same_as"] = r.SameAs
	}
	return item
}

// errDryRun ends the transaction of a dry run.
var errDryRun = errors.New("a dry run is rolled back")

// Check runs an import that was stored in a transaction that is rolled back, and keeps
// what came of each row, unless that was done before.
func (im *Importer) Check(ctx context.Context, id uuid.UUID) error {
	err := im.check(ctx, id, func(_ context.Context, _ *db.Tx, b query.ImportBatch) (query.ImportBatch, error) {
		if b.Created+b.Updated+b.Unchanged+b.Skipped+b.Failed == b.RowCount {
			return b, errKnown
		}
		return b, nil
	}, 0)
	if errors.Is(err, errKnown) {
		return nil
	}
	return err
}

// errKnown says that each row of an import has come to something already.
var errKnown = errors.New("it was checked before")

// errChanged says that an import was changed while it was checked.
var errChanged = errs.New(errs.Conflict, "import_changed", "This import was changed meanwhile. Try again.")

// edit is a change to an import that is checked before it is kept; it is made twice. It
// returns the import as it is then.
type edit func(context.Context, *db.Tx, query.ImportBatch) (query.ImportBatch, error)

// check makes a change and checks the row only, or with 0 all rows.
func (im *Importer) check(ctx context.Context, id uuid.UUID, change edit, only int32) error {
	for attempt := 1; ; attempt++ { // somebody may edit rows meanwhile
		version, results, err := im.dryRun(ctx, id, change, only)
		if err == nil {
			err = im.keep(ctx, id, version, change, results)
		}
		if !errors.Is(err, errChanged) || attempt == 3 {
			return err
		}
	}
}

// dryRun returns what would come of rows, and the version of the import that it has seen.
func (im *Importer) dryRun(ctx context.Context, id uuid.UUID, change edit, only int32) (version int32, results []map[string]any, err error) {
	err = im.db.AsLandlord(ctx, db.ReadWrite, func(tx *db.Tx) error {
		results = nil
		batch, err := lock(ctx, tx, id, Uploaded, Checked)
		if err != nil {
			return err
		}
		version = batch.Version
		if batch, err = change(ctx, tx, batch); err != nil {
			return err
		}
		if Kind(batch.Kind).Missing(batch.Mapping) != nil {
			return errDryRun
		}
		firsts, err := firsts(ctx, tx, id)
		if err != nil {
			return err
		}
		page := query.ImportRowsToRunParams{BatchID: id, RowLimit: chunkRows}
		if only > 0 {
			page.After, page.RowLimit = only-1, 1
		}
		for {
			rows, err := query.New().ImportRowsToRun(ctx, tx, page)
			if err != nil {
				return err
			}
			if len(rows) == 0 || only > 0 && rows[0].N != only {
				return errDryRun
			}
			records, err := im.take(ctx, tx, batch, firsts, rows)
			if err != nil {
				return err
			}
			for _, record := range records {
				delete(record, "changes") // they are undone in a moment
			}
			results = append(results, records...)
			if only > 0 {
				return errDryRun
			}
			page.After = rows[len(rows)-1].N
		}
	})
	if errors.Is(err, errDryRun) {
		err = nil
	}
	return version, results, err
}

// keep makes a change and writes what a dry run has found out of it, if the import is
// still what that saw.
func (im *Importer) keep(ctx context.Context, id uuid.UUID, version int32, change edit, results []map[string]any) error {
	return im.db.AsLandlord(ctx, db.ReadWrite, func(tx *db.Tx) error {
		batch, err := lock(ctx, tx, id, Uploaded, Checked)
		if err != nil {
			return err
		}
		if batch.Version != version {
			return errChanged
		}
		if batch, err = change(ctx, tx, batch); err != nil {
			return err
		}
		for part := range slices.Chunk(results, 4*chunkRows) {
			if err := query.New().ImportRowsResult(ctx, tx, query.ImportRowsResultParams{BatchID: id, Sent: encode(part)}); err != nil {
				return err
			}
		}
		state := Checked
		if Kind(batch.Kind).Missing(batch.Mapping) != nil {
			state = Uploaded
		}
		return query.New().ImportBatchCount(ctx, tx, query.ImportBatchCountParams{ID: id, State: &state})
	})
}

func firsts(ctx context.Context, tx *db.Tx, id uuid.UUID) (map[string]int32, error) {
	rows, err := query.New().ImportFirsts(ctx, tx, id)
	first := make(map[string]int32, len(rows))
	for _, r := range rows {
		first[r.SameAs] = r.N
	}
	return first, err
}

// lock locks an import that is in one of states.
func lock(ctx context.Context, tx *db.Tx, id uuid.UUID, states ...string) (query.ImportBatch, error) {
	batch, err := query.New().ImportBatchLock(ctx, tx, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return batch, db.Forbidden().Because(err)
	}
	if err == nil && !slices.Contains(states, batch.State) {
		if batch.RowsPurgedAt != nil {
			return batch, purged(errs.Conflict)
		}
		err = errs.New(errs.Conflict, "not_possible_now", "%s", map[string]string{
			Uploaded: "Say first which column is what.", Running: "This import is running.", Undoing: "This import is being undone.",
			Checked: "This import has not been run.", Undone: "This import was undone. Send the file again.",
			Cancelled: "This import was cancelled. Send the file again.",
		}[batch.State])
		if batch.State == Completed || batch.State == Partial {
			err = errs.New(errs.Conflict, "not_possible_now", "This import has been run. Send the file again, or undo it.")
		}
	}
	return batch, err
}

// Remap has an import's rows read by another mapping, or taken by other options, as
// decide says who is shown the import, and checks them.
func (im *Importer) Remap(ctx context.Context, id uuid.UUID, decide func(query.ImportBatch) (csvfile.Mapping, Options, error)) error {
	return im.check(ctx, id, func(ctx context.Context, tx *db.Tx, batch query.ImportBatch) (query.ImportBatch, error) {
		m, o, err := decide(batch)
		if err != nil {
			return batch, err
		}
		same := slices.Equal(m, batch.Mapping)
		batch.Mapping, batch.OnExisting, batch.UnknownUnits, batch.SendInvites = m, o.OnExisting, o.UnknownUnits, o.SendInvites
		if err := query.New().ImportBatchMap(ctx, tx, query.ImportBatchMapParams{
			ID: id, Mapping: m, OnExisting: o.OnExisting, UnknownUnits: o.UnknownUnits, SendInvites: o.SendInvites,
		}); err != nil || same {
			return batch, err
		}
		return batch, reread(ctx, tx, batch)
	}, 0)
}

// reread reads all rows of an import again by its mapping.
func reread(ctx context.Context, tx *db.Tx, batch query.ImportBatch) error {
	stored := func(page query.ImportRowsAfterParams) ([]query.ImportRow, error) {
		return query.New().ImportRowsAfter(ctx, tx, page)
	}
	for part, err := range rows(batch.ID, false, stored) {
		if err != nil {
			return err
		}
		items := make([]map[string]any, len(part))
		for i, stored := range part {
			cells, err := Cells(stored.Cells)
			if err != nil {
				return err
			}
			items[i] = read(Kind(batch.Kind), batch.Mapping, cells)
			items[i]["n"] = stored.N
		}
		if err := query.New().ImportRowsRead(ctx, tx, query.ImportRowsReadParams{BatchID: batch.ID, Sent: encode(items)}); err != nil {
			return err
		}
	}
	return nil
}

// Cells reads what import_rows keeps of a row of the file.
func Cells(stored []byte) (cells []string, err error) {
	if err := json.Unmarshal(stored, &cells); err != nil {
		return nil, fmt.Errorf("read cells: %w", err)
	}
	return cells, nil
}

// Edit writes a value into the cell that holds field, and checks that row. What it
// changes for other rows, such as that they are no duplicates any more, a run finds out.
func (im *Importer) Edit(ctx context.Context, id uuid.UUID, n int32, field, value string) error {
	write := func(ctx context.Context, tx *db.Tx, batch query.ImportBatch) (query.ImportBatch, error) {
		m := csvfile.Mapping(batch.Mapping)
		column := m.Column(field)
		if column < 0 {
			return batch, errs.New(errs.Conflict, "not_possible_now", "No column of this file holds that.").
				At(errs.Field{Pointer: "/field", Message: "is not mapped"})
		}
		stored, err := query.New().ImportRow(ctx, tx, query.ImportRowParams{BatchID: id, N: n})
		if errors.Is(err, pgx.ErrNoRows) {
			return batch, db.Forbidden().Because(err)
		} else if err != nil {
			return batch, err
		}
		cells, err := Cells(stored.Cells)
		if err != nil {
			return batch, err
		}
		for len(cells) <= column {
			cells = append(cells, "")
		}
		cells[column] = value
		item := read(Kind(batch.Kind), m, cells)
		item["n"], item["cells"] = n, cells
		return batch, query.New().ImportRowsRead(ctx, tx, query.ImportRowsReadParams{BatchID: id, Sent: encode([]any{item})})
	}
	return im.check(ctx, id, write, n)
}
