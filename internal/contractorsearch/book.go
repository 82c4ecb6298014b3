package contractorsearch

import (
	"context"
	"fmt"
	"strings"
	"time"

	"rowhouse/internal/db"
	"rowhouse/internal/query"
)

// BookName is the name of the landlord's own book as a provider. The results' place
// ids are ids of contractors.
const BookName = "book"

// Book is the landlord's own book: contractors of the trade and those who do
// everything, without the archived ones, ranked by postal code, city, rating and
// name.
type Book struct{ DB *db.DB }

// Name implements Provider.
func (Book) Name() string { return BookName }

// TTL implements Provider.
func (Book) TTL() time.Duration { return time.Hour }

// Contractors implements Provider, as the landlord who is the caller.
func (b Book) Contractors(ctx context.Context, q Query) ([]Contractor, error) {
	var rows []query.Contractor
	err := b.DB.AsLandlord(ctx, db.ReadOnly, func(tx *db.Tx) (err error) {
		rows, err = query.New().ContractorsForWork(ctx, tx, query.ContractorsForWorkParams{
			Trade: q.Trade, PostalCode: q.Place.PostalCode, City: strings.TrimSpace(q.Place.City), RowLimit: Limit,
		})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("search the book: %w", err)
	}
	found := make([]Contractor, len(rows))
	for i, row := range rows {
		found[i] = Contractor{
			PlaceID: row.ID.String(), Name: row.Name, Trade: row.Trade, Phone: text(row.Phone), Website: text(row.Website),
			Address: address(text(row.Address1), text(row.Address2), text(row.PostalCode)+" "+text(row.City)),
		}
		if row.Rating != nil {
			found[i].Rating = *row.Rating
		}
	}
	return found, nil
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// address joins those of lines that say something, as far as there is room.
func address(lines ...string) string {
	var said []string
	for _, line := range lines {
		if line = strings.TrimSpace(line); line != "" {
			said = append(said, line)
		}
	}
	return cut(strings.Join(said, ", "), 500)
}

// cut returns the first n characters of s.
func cut(s string, n int) string {
	if runes := []rune(s); len(runes) > n {
		return strings.TrimSpace(string(runes[:n]))
	}
	return s
}
