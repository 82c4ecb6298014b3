package imports

import (
	"context"
	"io"
	"iter"
	"strconv"

	"github.com/google/uuid"

	"rowhouse/internal/csvfile"
	"rowhouse/internal/db"
	"rowhouse/internal/query"
)

// rows reads an import's rows in parts, all of them or those that failed.
func (im *Importer) rows(ctx context.Context, tx *db.Tx, id uuid.UUID, failed bool) iter.Seq2[[]query.ImportRow, error] {
	return func(yield func([]query.ImportRow, error) bool) {
		for after := int32(0); ; {
			part, err := query.New().ImportRowsAfter(ctx, tx, query.ImportRowsAfterParams{
				BatchID: id, After: after, Failed: failed, RowLimit: chunkRows,
			})
			if err != nil {
				yield(nil, err)
				return
			}
			if len(part) == 0 || !yield(part, nil) {
				return
			}
			after = part[len(part)-1].N
		}
	}
}

// WriteFailed writes the rows of an import that were not taken, as they are in the file,
// with the line that they had and what is wrong with them. Sent again it is read as the
// file was.
func (im *Importer) WriteFailed(ctx context.Context, tx *db.Tx, batch query.ImportBatch, w io.Writer) error {
	out := csvfile.NewWriter(w)
	if err := out.Write(append(append([]string{}, batch.Header...), "row", "error_code", "error")); err != nil {
		return err
	}
	for part, err := range im.rows(ctx, tx, batch.ID, true) {
		if err != nil {
			return err
		}
		for _, r := range part {
			cells, err := Cells(r)
			if err != nil {
				return err
			}
			for len(cells) < len(batch.Header) {
				cells = append(cells, "")
			}
			why := ""
			if r.Field != nil {
				why = *r.Field + ": "
			}
			cells = append(cells[:len(batch.Header)], strconv.Itoa(int(r.Line)), *r.Code, why+*r.Message)
			if err := out.Write(cells); err != nil {
				return err
			}
		}
	}
	return out.Flush()
}

// template is the header of a file of a kind that is read without mapping, and two rows
// that show how.
func (k Kind) template() [][]string {
	switch k {
	case Units:
		return [][]string{
			{"unit", "propertyName", "kind", "status", "address1", "address2", "city", "state", "postalCode", "country", "bedrooms", "bathrooms", "areaM2", "unitRef"},
			{"Flat 1", "Canal House", "apartment", "VACANT", "12 Canal Street", "", "Utrecht", "", "3511 AB", "NL", "2", "1", "64.5", "CH-1"},
			{"Garage", "", "parking", "OCCUPIED", "14 Canal Street", "", "Utrecht", "", "3511 AB", "NL", "", "", "", ""},
		}
	case Tenants:
		return [][]string{
			{"firstName", "lastName", "email", "phone", "unit", "propertyName", "startDate", "endDate", "tenantRef", "notes"},
			{"Ada", "Byron", "ada@example.com", "+31 30 123 4567", "Flat 1", "Canal House", "2026-01-01", "", "", ""},
			{"Grace", "Hopper", "grace@example.com", "", "Garage", "", "2026-02-01", "2027-01-31", "", "Pays by the quarter"},
		}
	}
	return [][]string{
		{"propertyName", "unit", "kind", "address1", "city", "postalCode", "country", "firstName", "lastName", "email", "phone", "startDate"},
		{"Canal House", "Flat 1", "apartment", "12 Canal Street", "Utrecht", "3511 AB", "NL", "Ada", "Byron", "ada@example.com", "", "2026-01-01"},
		{"Canal House", "Flat 2", "apartment", "12 Canal Street", "Utrecht", "3511 AB", "NL", "", "", "", "", ""},
	}
}

// WriteTemplate writes a file to fill in. That for tenants has a row for each of the
// landlord's units, if there are any; the others have rows that show how.
func (im *Importer) WriteTemplate(ctx context.Context, tx *db.Tx, k Kind, w io.Writer) error {
	rows := k.template()
	if k == Tenants {
		units, err := query.New().ImportUnitNames(ctx, tx)
		if err != nil {
			return err
		}
		if len(units) > 0 {
			rows = rows[:1]
		}
		for _, u := range units {
			row := make([]string, len(rows[0]))
			row[4] = u.Name
			if u.PropertyName != nil {
				row[5] = *u.PropertyName
			}
			rows = append(rows, row)
		}
	}
	out := csvfile.NewWriter(w)
	for _, row := range rows {
		if err := out.Write(row); err != nil {
			return err
		}
	}
	return out.Flush()
}
