package httpapi

import (
	"context"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"rowhouse/internal/db"
	"rowhouse/internal/errs"
	"rowhouse/internal/query"
)

const minSearch = 2

type searchInput struct {
	Q string `query:"q" required:"true" minLength:"2" maxLength:"100" example:"canal" doc:"Part of a name, an address, a number such as #12 or a reference, in any case."`
}

// found is one row that a search has found.
type found struct {
	ID     uuid.UUID `json:"id" format:"uuid"`
	Label  string    `json:"label" example:"Flat 3" doc:"What it is called"`
	Detail string    `json:"detail" example:"Canal House, 12 Canal Street, 3511 AB, Utrecht" doc:"What tells it from others of that name; may be empty"`
}

type searchOutput struct {
	Body struct {
		Units       []found `json:"units" nullable:"false" doc:"At most five, as of every kind"`
		Tenants     []found `json:"tenants" nullable:"false"`
		Tickets     []found `json:"tickets" nullable:"false"`
		Contractors []found `json:"contractors" nullable:"false"`
	}
}

// search looks through all kinds of rows in one round trip besides COMMIT.
func (a *API) search(ctx context.Context, in *searchInput) (*searchOutput, error) {
	text := strings.TrimSpace(in.Q)
	if utf8.RuneCountInString(text) < minSearch {
		return nil, errs.New(errs.Invalid, "invalid_request", "The request has errors; nothing was changed.").
			At(errs.Field{Parameter: "q", Message: "expected at least two characters besides spaces"})
	}
	var f query.Found
	err := a.db.AsLandlord(ctx, db.ReadOnly, func(tx *db.Tx) (err error) {
		f, err = query.New().Search(ctx, tx, text)
		return err
	})
	if err != nil {
		return nil, err
	}
	out := &searchOutput{}
	out.Body.Units = each(f.Units, func(r query.SearchUnitsRow) found { return found(r) })
	out.Body.Tenants = each(f.Tenants, func(r query.SearchTenantsRow) found { return found(r) })
	out.Body.Tickets = each(f.Tickets, func(r query.SearchTicketsRow) found { return found(r) })
	out.Body.Contractors = each(f.Contractors, func(r query.SearchContractorsRow) found { return found(r) })
	return out, nil
}
