package farewell

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
	// partBytes bounds a part of the export that holds files; one file may be larger.
	partBytes = 64 << 20
	// partFiles bounds how many files are in it.
	partFiles = 100
	// parts bounds the parts of one export.
	parts = 10_000
)

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

// export keeps the parts that are still missing: first the rows of all tables, then the
// files of tickets, each part a zip of its own.
func (f *Farewell) export(ctx context.Context, d query.AccountDeletion) (query.AccountDeletion, error) {
	for len(d.ExportKeys) < parts {
		var p part
		var err error
		if len(d.ExportKeys) == 0 {
			p.write = f.writeRows
		} else if p, err = f.nextFiles(ctx, d.ExportedThrough); err != nil {
			return d, err
		} else if p.write == nil {
			return f.step(ctx, func(tx *db.Tx) (query.AccountDeletion, error) {
				return query.New().AccountDeletionExported(ctx, tx, d.ID)
			})
		}
		key := path.Join(d.OwnerUserID.String(), d.OwnerUserID.String(), d.ID.String()+"-"+strconv.Itoa(len(d.ExportKeys)+1))
		rows, err := f.keep(ctx, key, p.write)
		if err != nil {
			return d, fmt.Errorf("export: %w", err)
		}
		if d, err = f.step(ctx, func(tx *db.Tx) (query.AccountDeletion, error) {
			return query.New().AccountDeletionPart(ctx, tx, query.AccountDeletionPartParams{ID: d.ID, Key: key, ExportedThrough: p.through, Rows: rows})
		}); err != nil {
			return d, errors.Join(err, f.files.Delete(context.WithoutCancel(ctx), key)) // it may have been cancelled
		}
	}
	return d, errors.New("export: too many parts")
}

// part is what goes into one zip.
type part struct {
	write   func(context.Context, *zip.Writer) (rows int64, err error)
	through *uuid.UUID // the last file in it
}

// keep streams a zip into the store. What an attempt before this one has left there is
// replaced.
func (f *Farewell) keep(ctx context.Context, key string, write func(context.Context, *zip.Writer) (int64, error)) (rows int64, err error) {
	if err := f.files.Delete(ctx, key); err != nil {
		return 0, err
	}
	r, w := io.Pipe()
	written := make(chan struct{})
	go func() {
		defer close(written)
		archive := zip.NewWriter(w)
		n, err := write(ctx, archive)
		rows = n
		w.CloseWithError(errors.Join(err, archive.Close()))
	}()
	err = f.files.Put(ctx, key, "application/zip", r)
	r.CloseWithError(errors.Join(err, io.ErrClosedPipe)) // whoever still writes stops
	<-written
	return rows, err
}

// writeRows writes all rows of all tables, as JSON and, for spreadsheets, as CSV.
func (f *Farewell) writeRows(ctx context.Context, archive *zip.Writer) (rows int64, err error) {
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
			n, err := f.writeTable(ctx, string(sql), format.sink(w))
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
func (f *Farewell) writeTable(ctx context.Context, sql string, to sink) (rows int64, err error) {
	var after uuid.UUID
	for n := chunk; n == chunk; {
		var lines []string
		var last uuid.UUID
		if err := f.db.AsLandlord(ctx, db.ReadOnly, func(tx *db.Tx) error {
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
func (f *Farewell) nextFiles(ctx context.Context, after *uuid.UUID) (p part, err error) {
	var files []query.AccountFilesRow
	if err := f.db.AsLandlord(ctx, db.ReadOnly, func(tx *db.Tx) (err error) {
		files, err = query.New().AccountFiles(ctx, tx, query.AccountFilesParams{After: after, AtMost: partFiles})
		return err
	}); err != nil {
		return p, err
	}
	size := int64(0)
	for i, file := range files {
		if size += file.SizeBytes; size > partBytes && i > 0 {
			files = files[:i]
			break
		}
	}
	if len(files) == 0 {
		return p, nil
	}
	p.through = &files[len(files)-1].ID
	p.write = func(ctx context.Context, archive *zip.Writer) (int64, error) {
		for _, file := range files {
			if err := f.writeFile(ctx, archive, file); err != nil {
				return 0, err
			}
		}
		return 0, nil
	}
	return p, nil
}

// writeFile writes one file, under its id, for names come twice and may be anything. One
// that is not in the store any more is left out; its row is in the first part.
func (f *Farewell) writeFile(ctx context.Context, archive *zip.Writer, file query.AccountFilesRow) error {
	from, err := f.files.Open(ctx, file.StorageKey)
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
