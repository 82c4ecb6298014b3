// Package exports writes a landlord's lists as spreadsheets.
//
// A column that an import reads has the name by which it does, so that a file which was
// exported, edited and sent back needs no mapping: exported and sent back as it is, it
// changes nothing. What is not known is an empty cell, which for an import says nothing
// too. Days are written as 2006-01-02, moments in UTC as RFC 3339 has them.
//
// The files are UTF-8 with a byte order mark. Excel takes a file without one for the
// code page of the machine, and breaks every name that is not plain English; what else
// reads CSV skips the mark or, like our own import, knows it.
package exports

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"strconv"
	"time"

	"github.com/google/uuid"

	"rowhouse/internal/csvfile"
	"rowhouse/internal/query"
)

// Table is a list, filtered and sorted by P, of rows of type R.
type Table[P, R any] struct {
	Name    string // of a file with it, without an ending
	columns []column[R]
	rows    func(context.Context, query.DBTX, P) iter.Seq2[R, error]
}

// column is what of a row stands under a name.
type column[R any] struct {
	name  string
	value func(R) any
}

// WriteCSV writes the rows that the caller of tx has, one after another as the database
// sends them, in one statement. When it fails, what it has written is not all of them.
func (t Table[P, R]) WriteCSV(ctx context.Context, tx query.DBTX, params P, w io.Writer) error {
	out := csvfile.NewWriter(w)
	cells := make([]string, len(t.columns))
	for i, c := range t.columns {
		cells[i] = c.name
	}
	if err := out.Write(cells); err != nil {
		return err
	}
	for row, err := range t.rows(ctx, tx, params) {
		if err != nil {
			return err
		}
		for i, c := range t.columns {
			cells[i] = text(c.value(row))
		}
		if err := out.Write(cells); err != nil {
			return err
		}
	}
	return out.Flush()
}

// day is a date, of which time.Time says more than there is.
type day struct{ time.Time }

func dayOf(t *time.Time) *day {
	if t == nil {
		return nil
	}
	return &day{*t}
}

func text(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case *string:
		return optional(v)
	case uuid.UUID:
		return v.String()
	case *uuid.UUID:
		return optional(v)
	case time.Time:
		return v.UTC().Format(time.RFC3339)
	case *time.Time:
		return optional(v)
	case day:
		return v.Format(time.DateOnly)
	case *day:
		return optional(v)
	case bool:
		return strconv.FormatBool(v)
	case int32:
		return strconv.Itoa(int(v))
	case *int16:
		return optional(v)
	case int16:
		return strconv.Itoa(int(v))
	case *float64:
		return optional(v)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case json.RawMessage:
		return string(v)
	}
	panic(fmt.Sprintf("exports: say how to write a %T", value))
}

func optional[T any](value *T) string {
	if value == nil {
		return ""
	}
	return text(*value)
}
