package imports

import (
	"context"
	"io"
	"iter"
	"slices"
	"strconv"

	"github.com/google/uuid"

	"rowhouse/internal/csvfile"
	"rowhouse/internal/db"
	"rowhouse/internal/query"
)

// rows reads an import's rows in parts, all of them or those that failed.
func rows(id uuid.UUID, failed bool, read func(query.ImportRowsAfterParams) ([]query.ImportRow, error)) iter.Seq2[[]query.ImportRow, error] {
	return func(yield func([]query.ImportRow, error) bool) {
		page := query.ImportRowsAfterParams{BatchID: id, Failed: failed, RowLimit: chunkRows}
		for {
			part, err := read(page)
			if err != nil {
				yield(nil, err)
				return
			}
			if len(part) == 0 || !yield(part, nil) {
				return
			}
			page.After = part[len(part)-1].N
		}
	}
}

// WriteFailed writes the rows of an import that were not taken, as they are in the file,
// with the line that they had and what is wrong with them. Sent again it is read as the
// file was. It holds no connection while it writes.
func (im *Importer) WriteFailed(ctx context.Context, batch query.ImportBatch, w io.Writer) error {
	out := csvfile.NewWriter(w)
	if err := out.Write(append(slices.Clone(batch.Header), "row", "error_code", "error")); err != nil {
		return err
	}
	read := func(page query.ImportRowsAfterParams) (part []query.ImportRow, err error) {
		err = im.db.AsLandlord(ctx, db.ReadOnly, func(tx *db.Tx) (err error) {
			part, err = query.New().ImportRowsAfter(ctx, tx, page)
			return err
		})
		return part, err
	}
	for part, err := range rows(batch.ID, true, read) {
		if err != nil {
			return err
		}
		for _, r := range part {
			cells, err := Cells(r.Cells)
			if err != nil {
				return err
			}
			for len(cells) < len(batch.Header) {
				cells = append(cells, "")
			}
			why := *r.Message
			if r.Field != nil {
				why = *r.Field + ": " + why
			}
			if err := out.Write(append(cells[:len(batch.Header)], strconv.Itoa(int(r.Line)), *r.Code, why)); err != nil {
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
func (im *Importer) WriteTemplate(ctx context.Context, k Kind, w io.Writer) error {
	table := k.template()
	if k == Tenants {
		var units []query.ImportUnitNamesRow
		if err := im.db.AsLandlord(ctx, db.ReadOnly, func(tx *db.Tx) (err error) {
			units, err = query.New().ImportUnitNames(ctx, tx)
			return err
		}); err != nil {
			return err
		}
		if len(units) > 0 {
			table = table[:1]
		}
		for _, u := range units {
			row := make([]string, len(table[0]))
			row[4] = u.Name
			if u.PropertyName != nil {
				row[5] = *u.PropertyName
			}
			table = append(table, row)
		}
	}
	out := csvfile.NewWriter(w)
	for _, row := range table {
		if err := out.Write(row); err != nil {
			return err
		}
	}
	return out.Flush()
}
