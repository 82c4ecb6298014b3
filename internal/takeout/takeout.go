// Package takeout gives landlords all that they have: every row of every table of theirs
// as JSON and as CSV, and the files of their tickets, in zips. It does so for who asks,
// and for who leaves.
//
// Everything is read as the landlord, through internal/db, a few rows in memory at a
// time. A table is read in chunks, each in a transaction of its own, so that nobody waits
// for a connection while a zip is written: rows that come and go meanwhile may be in it
// or not. What is another landlord's is not there to be read.
package takeout

import (
	"archive/zip"
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"rowhouse/internal/csvfile"
	"rowhouse/internal/db"
	"rowhouse/internal/query"
	"rowhouse/internal/storage"
)

// queries read the landlord's rows of one table each, in the order of ids: $1 is the id
// to begin after, $2 how many at most.
//
//go:embed sql/*.sql
var queries embed.FS

const (
	// chunk is how many rows are read in one transaction.
	chunk = 500
	// partBytes bounds a part that holds files; one file may be larger.
	partBytes = 64 << 20
	// partFiles bounds how many files are in it.
	partFiles = 100
	// maxParts bounds the parts of one takeout.
	maxParts = 10_000
)

// Takeout writes what a landlord has. It is safe for concurrent use.
type Takeout struct {
	db    *db.DB
	files storage.Store
}

// New returns a Takeout that reads from d and files, and keeps what it makes in files.
func New(d *db.DB, files storage.Store) *Takeout { return &Takeout{db: d, files: files} }

// Tables are the tables that an export holds, by their names in schema app.
func Tables() []string {
	names, err := fs.Glob(queries, "sql/*.sql")
	if err != nil {
		panic(err) // the pattern is a constant
	}
	for i, name := range names {
		names[i] = strings.TrimSuffix(path.Base(name), ".sql")
	}
	return names
}

// Part is one zip of several.
type Part struct {
	// Through is the last file in it; nil in the part that has the rows.
	Through *uuid.UUID

	write func(context.Context, *zip.Writer) (rows int64, err error)
}

// Next is the part that follows after so many, of which the last had files through an id;
// nil if there is nothing left. The rows of all tables come first.
func (t *Takeout) Next(ctx context.Context, parts int, through *uuid.UUID) (*Part, error) {
	switch parts {
	case 0:
		return &Part{write: t.writeRows}, nil
	case maxParts:
		return nil, errors.New("takeout: too many parts")
	}
	return t.nextFiles(ctx, through)
}

// Key is where the nth part, from 1, of what is called id is kept, for its owner alone.
func Key(owner, id uuid.UUID, n int) string {
	return path.Join(owner.String(), owner.String(), id.String()+"-"+strconv.Itoa(n))
}

// Keys are the places of so many parts, and of what an attempt may have left of the next.
func Keys(owner, id uuid.UUID, parts int) (keys []string) {
	for n := 1; n <= parts+1; n++ {
		keys = append(keys, Key(owner, id, n))
	}
	return keys
}

// Keep writes a part to a place of its own in the store, and says how many rows and bytes
// are in it. What an attempt before this one has left there is replaced.
func (t *Takeout) Keep(ctx context.Context, key string, p *Part) (rows, size int64, err error) {
	if err := t.files.Delete(ctx, key); err != nil {
		return 0, 0, err
	}
	r, w := io.Pipe()
	counted := &counter{w: w}
	written := make(chan struct{})
	go func() {
		defer close(written)
		archive := zip.NewWriter(counted)
		n, err := p.write(ctx, archive)
		rows = n
		w.CloseWithError(errors.Join(err, archive.Close()))
	}()
	err = t.files.Put(ctx, key, "application/zip", r)
	_ = r.CloseWithError(errors.Join(err, io.ErrClosedPipe)) // it never fails; whoever still writes stops
	<-written
	if err != nil {
		return 0, 0, fmt.Errorf("takeout: %w", err)
	}
	return rows, counted.n, nil
}

// counter counts what is written.
type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// writeRows writes all rows of all tables, as JSON and, for spreadsheets, as CSV.
func (t *Takeout) writeRows(ctx context.Context, archive *zip.Writer) (rows int64, err error) {
	for _, table := range Tables() {
		sql, err := queries.ReadFile("sql/" + table + ".sql")
		if err != nil {
			return rows, err
		}
		for _, format := range []struct {
			name string
			sink func(io.Writer) sink
		}{{".json", newJSON}, {".csv", newCSV}} {
			w, err := archive.Create(table + format.name)
			if err != nil {
				return rows, err
			}
			n, err := t.writeTable(ctx, string(sql), format.sink(w))
			if err != nil {
				return rows, fmt.Errorf("%s%s: %w", table, format.name, err)
			}
			if format.name == ".json" {
				rows += n
			}
		}
	}
	return rows, nil
}

// writeTable writes a table's rows, a chunk in memory at a time.
func (t *Takeout) writeTable(ctx context.Context, sql string, to sink) (rows int64, err error) {
	var after uuid.UUID
	for n := chunk; n == chunk; {
		var lines []string
		var last uuid.UUID
		if err := t.db.AsLandlord(ctx, db.ReadOnly, func(tx *db.Tx) error {
			lines = lines[:0]
			found, err := tx.Query(ctx, sql, after, chunk)
			if err != nil {
				return err
			}
			defer found.Close()
			for found.Next() {
				var line string
				if err := found.Scan(&last, &line); err != nil {
					return err
				}
				lines = append(lines, line)
			}
			return found.Err()
		}); err != nil {
			return rows, err
		}
		n, after = len(lines), last
		for _, line := range lines {
			if err := to.row(line); err != nil {
				return rows, err
			}
		}
		rows += int64(n)
	}
	return rows, to.end()
}

// sink writes rows in a format.
type sink interface {
	row(object string) error
	end() error
}

type jsonSink struct {
	w    io.Writer
	rows int
}

func newJSON(w io.Writer) sink { return &jsonSink{w: w} }

func (s *jsonSink) row(object string) error {
	separator := ",\n"
	if s.rows == 0 {
		separator = "[\n"
	}
	s.rows++
	_, err := io.WriteString(s.w, separator+object)
	return err
}

func (s *jsonSink) end() error {
	text := "\n]\n"
	if s.rows == 0 {
		text = "[]\n"
	}
	_, err := io.WriteString(s.w, text)
	return err
}

type csvSink struct {
	w    *csvfile.Writer
	rows int
}

func newCSV(w io.Writer) sink { return &csvSink{w: csvfile.NewWriter(w)} }

// row writes an object's members in the order in which they stand there, which is that
// of the table's columns in every row.
func (s *csvSink) row(object string) error {
	in := jsontext.NewDecoder(bytes.NewReader([]byte(object)))
	if _, err := in.ReadToken(); err != nil { // {
		return err
	}
	var names, values []string
	for in.PeekKind() == '"' {
		name, err := in.ReadToken()
		if err != nil {
			return err
		}
		names = append(names, name.String())
		value, err := in.ReadValue()
		if err != nil {
			return err
		}
		cell, err := cellOf(value)
		if err != nil {
			return err
		}
		values = append(values, cell)
	}
	if s.rows == 0 {
		if err := s.w.Write(names); err != nil {
			return err
		}
	}
	s.rows++
	return s.w.Write(values)
}

func (s *csvSink) end() error { return s.w.Flush() }

// cellOf is a value as a cell.
func cellOf(value jsontext.Value) (string, error) {
	switch value.Kind() {
	case 'n':
		return "", nil
	case '"':
		var text string
		err := json.Unmarshal(value, &text)
		return text, err
	}
	return string(value), nil
}

// nextFiles are the files of the next part, after the one with an id.
func (t *Takeout) nextFiles(ctx context.Context, after *uuid.UUID) (*Part, error) {
	var files []query.AccountFilesRow
	if err := t.db.AsLandlord(ctx, db.ReadOnly, func(tx *db.Tx) (err error) {
		files, err = query.New().AccountFiles(ctx, tx, query.AccountFilesParams{After: after, AtMost: partFiles})
		return err
	}); err != nil {
		return nil, err
	}
	size := int64(0)
	for i, file := range files {
		if size += file.SizeBytes; size > partBytes && i > 0 {
			files = files[:i]
			break
		}
	}
	if len(files) == 0 {
		return nil, nil //nolint:nilnil // there is no further part
	}
	p := &Part{Through: &files[len(files)-1].ID}
	p.write = func(ctx context.Context, archive *zip.Writer) (int64, error) {
		for _, file := range files {
			if err := t.writeFile(ctx, archive, file); err != nil {
				return 0, err
			}
		}
		return 0, nil
	}
	return p, nil
}

// writeFile writes one file, under its id, for names come twice and may be anything. One
// that is not in the store any more is left out; its row is in the first part.
func (t *Takeout) writeFile(ctx context.Context, archive *zip.Writer, file query.AccountFilesRow) error {
	from, err := t.files.Open(ctx, file.StorageKey)
	if errors.Is(err, storage.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = from.Close() }() // only read
	// stored as they are: photos and documents are compressed already
	to, err := archive.CreateHeader(&zip.FileHeader{Name: "files/" + file.ID.String() + safeExtension(file.FileName), Method: zip.Store})
	if err != nil {
		return err
	}
	_, err = io.Copy(to, from)
	return err
}

// safeExtension is a file name's extension, if it is a short word.
func safeExtension(name string) string {
	extension := strings.ToLower(path.Ext(name))
	if len(extension) < 2 || len(extension) > 6 || strings.Trim(extension[1:], "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
		return ""
	}
	return extension
}
