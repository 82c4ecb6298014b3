package httpapi

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"

	"rowhouse/internal/db"
	"rowhouse/internal/query"
)

// ContractorData is what a landlord says of a contractor.
type ContractorData struct {
	Name    line    `json:"name" maxLength:"200" example:"Pipes & Sons"`
	Trade   string  `json:"trade,omitempty" enum:"PLUMBING,ELECTRICAL,HVAC,APPLIANCE,STRUCTURAL,PEST,LOCKS_KEYS,CLEANING,NOISE,INTERNET_TV,EXTERIOR,OTHER,GENERAL" default:"GENERAL"`
	Phone   *line   `json:"phone,omitempty" nullable:"true" maxLength:"50" example:"+31 30 1234567"`
	Email   *email  `json:"email,omitempty" nullable:"true" example:"office@pipes.example" doc:"Kept in lower case"`
	Website *string `json:"website,omitempty" nullable:"true" maxLength:"500" pattern:"^https?://[^\\p{Cc}\\p{Z}/?#@<>\"]+([/?#][^\\p{Cc}\\p{Z}<>\"]*)?$" patternDescription:"an address that begins with http:// or https://" example:"https://pipes.example"`
	Address
	Rating       *int16 `json:"rating,omitempty" nullable:"true" minimum:"1" maximum:"5" example:"4" doc:"Yours, from 1 to 5"`
	LicenseNo    *line  `json:"licenseNo,omitempty" nullable:"true" maxLength:"100" example:"NL-4711"`
	InsuredUntil *date  `json:"insuredUntil,omitempty" nullable:"true" example:"2027-03-31" doc:"The last day of their insurance"`
	Notes        *text  `json:"notes,omitempty" nullable:"true" maxLength:"5000" example:"Rings the bell twice."`
	Archived     bool   `json:"archived,omitempty" doc:"Archived contractors are kept, and left out of lists unless asked for"`
}

// contractor is a contractor as the API shows them.
type contractor struct {
	ID uuid.UUID `json:"id" format:"uuid"`
	ContractorData
	Source          string     `json:"source" enum:"MANUAL,SEARCH,IMPORT" doc:"How they came into your book"`
	ExternalPlaceID *string    `json:"externalPlaceId,omitempty" example:"osm:node/240109189" doc:"What the search that found them calls them"`
	ArchivedAt      *time.Time `json:"archivedAt,omitempty" doc:"Since when they are archived"`
	Version         int32      `json:"version" example:"1" doc:"Counts changes; the ETag holds it"`
	CreatedAt       time.Time  `json:"createdAt"`
	UpdatedAt       time.Time  `json:"updatedAt"`
}

// ContractorFilters say which contractors, and in which order.
type ContractorFilters struct {
	Search
	Sort     string `query:"sort" enum:"name,-name,createdAt,-createdAt" default:"name" doc:"Order; a minus turns it round."`
	Trade    string `query:"trade" enum:"PLUMBING,ELECTRICAL,HVAC,APPLIANCE,STRUCTURAL,PEST,LOCKS_KEYS,CLEANING,NOISE,INTERNET_TV,EXTERIOR,OTHER,GENERAL" doc:"Only contractors of this trade."`
	Archived string `query:"archived" enum:"false,true,all" default:"false" doc:"Whether to show archived contractors."`
}

type listContractorsInput struct {
	Paging
	ContractorFilters
}

type listContractorsOutput struct {
	Body struct {
		Contractors []contractor `json:"contractors" nullable:"false"`
		Pagination  pagination   `json:"pagination"`
	}
}

func (f ContractorFilters) params(w window) query.ContractorsPageParams {
	return query.ContractorsPageParams{
		Trade: given(f.Trade), Archived: archivedFilter(f.Archived), Q: strings.TrimSpace(f.Q),
		Sort: w.sort, AfterID: w.after, RowOffset: w.offset, RowLimit: w.rows(),
	}
}

// listContractors is listUnits for contractors.
func (a *API) listContractors(ctx context.Context, in *listContractorsInput) (*listContractorsOutput, error) {
	w, err := in.window(in.Sort)
	if err != nil {
		return nil, err
	}
	var rows []query.Contractor
	var total int64
	err = reading(ctx, a.db, func(tx *db.Tx) (err error) {
		rows, total, err = query.New().ContractorsPageWithCount(ctx, tx, in.params(w))
		return err
	})
	if err != nil {
		return nil, err
	}
	out := &listContractorsOutput{}
	rows, out.Body.Pagination = paginate(w, rows, total, func(c query.Contractor) uuid.UUID { return c.ID })
	out.Body.Contractors = make([]contractor, len(rows))
	for i, row := range rows {
		out.Body.Contractors[i] = toContractor(row)
	}
	return out, nil
}

var contractorsResource = resource[query.Contractor, ContractorData, contractor]{
	path: "/contractors", name: "Contractor", noun: "a contractor",
	read: query.New().Contractor, lock: query.New().ContractorForUpdate,
	create: func(ctx context.Context, tx query.DBTX, d ContractorData) (query.Contractor, error) {
		return query.New().ContractorCreate(ctx, tx, d.params())
	},
	update: func(ctx context.Context, tx *db.Tx, id uuid.UUID, d ContractorData) (query.Contractor, error) {
		p := d.params()
		return query.New().ContractorUpdate(ctx, tx, query.ContractorUpdateParams{
			ID: id, Name: p.Name, Trade: p.Trade, Phone: p.Phone, Email: p.Email, Website: p.Website,
			Address1: p.Address1, Address2: p.Address2, City: p.City, State: p.State,
			PostalCode: p.PostalCode, Country: p.Country, Rating: p.Rating, LicenseNo: p.LicenseNo,
			InsuredUntil: p.InsuredUntil, Notes: p.Notes, Archived: p.Archived,
		})
	},
	remove: archivedFirst(query.New().ContractorDelete, "Archive this contractor first. What is archived can be deleted."),
	show:   toContractor, data: contractorData,
	version: func(r query.Contractor) (uuid.UUID, int32) { return r.ID, r.Version },
	refused: func(err error) error { return err },
}

func (d ContractorData) params() query.ContractorCreateParams {
	return query.ContractorCreateParams{
		Name: d.Name.trimmed(), Trade: d.Trade, Phone: (*string)(d.Phone), Email: normalEmail(d.Email), Website: d.Website,
		Address1: (*string)(d.Address1), Address2: (*string)(d.Address2), City: (*string)(d.City),
		State: (*string)(d.State), PostalCode: (*string)(d.PostalCode), Country: d.Country,
		Rating: d.Rating, LicenseNo: (*string)(d.LicenseNo), InsuredUntil: optionalDay(d.InsuredUntil),
		Notes: (*string)(d.Notes), Archived: d.Archived,
	}
}

func toContractor(c query.Contractor) contractor {
	return contractor{
		ID: c.ID, ContractorData: contractorData(c), Source: c.Source, ExternalPlaceID: c.ExternalPlaceID,
		ArchivedAt: c.ArchivedAt, Version: c.Version, CreatedAt: c.CreatedAt, UpdatedAt: c.UpdatedAt,
	}
}

func contractorData(c query.Contractor) ContractorData {
	return ContractorData{
		Name: line(c.Name), Trade: c.Trade, Phone: (*line)(c.Phone), Email: (*email)(c.Email), Website: c.Website,
		Address: Address{
			Address1: (*line)(c.Address1), Address2: (*line)(c.Address2), City: (*line)(c.City),
			State: (*line)(c.State), PostalCode: (*line)(c.PostalCode), Country: c.Country,
		},
		Rating: c.Rating, LicenseNo: (*line)(c.LicenseNo), InsuredUntil: optionalDate(c.InsuredUntil),
		Notes: (*text)(c.Notes), Archived: c.Archived,
	}
}
