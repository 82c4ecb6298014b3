package httpapi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"rowhouse/internal/contractorsearch"
	"rowhouse/internal/db"
	"rowhouse/internal/query"
)

// contractorSearch finds contractors for tickets, and keeps what was found.
type contractorSearch struct {
	db        *db.DB
	providers []contractorsearch.Provider
	now       func() time.Time
}

func newContractorSearch(c Config) contractorSearch {
	s := contractorSearch{db: c.DB, providers: []contractorsearch.Provider{contractorsearch.Book{DB: c.DB}}, now: c.Now}
	if c.Contractors != nil {
		s.providers = append(s.providers, c.Contractors)
	}
	if s.now == nil {
		s.now = time.Now
	}
	return s
}

func (s contractorSearch) routes(api huma.API) {
	const path = "/tickets/{id}/contractor-search"
	get(api, path, "getContractorSearch", "Show the contractors that were found for a ticket", s.get)
	change(api, http.MethodPost, path, "searchContractors", "Find contractors for a ticket", s.search)
	change(api, http.MethodPost, path+"/{resultId}/save", "saveContractorSearchResult", "Save a contractor that was found to your book", s.save)
}

// ContractorSearchData says how to search.
type ContractorSearchData struct {
	Refresh bool `json:"refresh,omitempty" default:"false" doc:"Search again, although what was found still holds: an hour for your own book, seven days for OpenStreetMap"`
}

// foundContractor is a contractor who was found.
type foundContractor struct {
	ID           uuid.UUID  `json:"id" format:"uuid" doc:"Of the result; the same when a later search finds the contractor again"`
	Provider     string     `json:"provider" example:"openstreetmap" doc:"Who knows of the contractor: book is your own book"`
	ContractorID *uuid.UUID `json:"contractorId,omitempty" format:"uuid" doc:"The contractor in your book, if it is there: assign it to the ticket. If not, save the result first."`
	Name         string     `json:"name" example:"Vonk Loodgieters"`
	Trade        string     `json:"trade" example:"PLUMBING"`
	Phone        *string    `json:"phone,omitempty" example:"+31 30 123 4567"`
	Website      *string    `json:"website,omitempty" example:"https://www.example.com/"`
	Address      *string    `json:"address,omitempty" example:"Oudegracht 12, 3511 AB Utrecht"`
	DistanceM    *int32     `json:"distanceM,omitempty" example:"850" doc:"Metres from the property, as the crow flies, where both places are known"`
	Rating       *float64   `json:"rating,omitempty" example:"4" doc:"1 to 5; in your own book it is yours"`
	RatingCount  *int32     `json:"ratingCount,omitempty" example:"12"`
	FetchedAt    time.Time  `json:"fetchedAt" doc:"When the provider said so"`
	ExpiresAt    time.Time  `json:"expiresAt" doc:"Until when it holds; past it, a search asks the provider again"`
}

// searchNotice says why an answer holds less than it might.
type searchNotice struct {
	Code   string `json:"code" enum:"provider_unavailable,provider_busy,place_unknown,category_not_covered" example:"provider_unavailable" doc:"Why the provider had no answer, for programs"`
	Detail string `json:"detail" example:"OpenStreetMap does not answer at the moment; your own contractors and earlier results are shown." doc:"The same for people"`
}

// foundContractors is the answer to a search.
type foundContractors struct {
	Body struct {
		Results []foundContractor `json:"results" nullable:"false" maxItems:"50" doc:"Those of your own book first: same postal code, same city, rating, name. Then the nearest."`
		Notice  *searchNotice     `json:"notice,omitempty"`
	}
}

type contractorSearchInput struct {
	Path
	Body *ContractorSearchData // may be absent
}

type contractorSaveInput struct {
	Path
	ResultID uuid.UUID `path:"resultId" format:"uuid" doc:"A result's id"`
}

// get shows what was found, asking nobody.
func (s contractorSearch) get(ctx context.Context, in *Path) (*foundContractors, error) {
	_, results, err := s.read(ctx, in.ID)
	return showFound(results, nil), err
}

// search asks the providers whose last answer does not hold any longer, or all of
// them. It does so between two transactions: no connection waits for a provider.
func (s contractorSearch) search(ctx context.Context, in *contractorSearchInput) (*foundContractors, error) {
	ticket, results, err := s.read(ctx, in.ID)
	if err != nil {
		return nil, forbidMissing(err)
	}
	refresh := in.Body != nil && in.Body.Refresh
	keep := query.ContractorSearchKeepParams{TicketID: in.ID, Now: s.now()}
	var notice *searchNotice
	var unanswered []string
	for _, provider := range s.providers {
		if !refresh && slices.Contains(ticket.Fresh, provider.Name()) {
			continue
		}
		found, err := provider.Contractors(ctx, searchQuery(ticket))
		if silent, ok := errors.AsType[*contractorsearch.Notice](err); ok {
			if silent.Err != nil {
				slog.WarnContext(ctx, "contractor search goes on without a provider", "provider", provider.Name(), "error", silent.Err)
			}
			notice = &searchNotice{Code: silent.Code, Detail: silent.Detail}
			unanswered = append(unanswered, provider.Name())
			continue
		}
		if err != nil {
			return nil, err
		}
		keepFound(&keep, provider, found)
	}
	if len(keep.Asked) == 0 && len(unanswered) == 0 {
		return showFound(results, nil), nil
	}
	err = s.db.AsLandlord(ctx, db.ReadWrite, func(tx *db.Tx) (err error) {
		results, err = query.New().ContractorSearchKeepAndRead(ctx, tx, keep, s.results(in.ID, unanswered))
		return err
	})
	return showFound(results, notice), err
}

// save puts a result into the book, where its place stands once: saved again, also
// for another ticket, it is the same contractor.
func (s contractorSearch) save(ctx context.Context, in *contractorSaveInput) (*shown[contractor], error) {
	var row query.Contractor
	err := s.db.AsLandlord(ctx, db.ReadWrite, func(tx *db.Tx) (err error) {
		result := query.ContractorSearchSaveParams{TicketID: in.ID, ID: in.ResultID}
		if err := query.New().ContractorSearchSave(ctx, tx, result); err != nil {
			return fmt.Errorf("save contractor: %w", err)
		}
		row, err = query.New().ContractorSearchSaved(ctx, tx, query.ContractorSearchSavedParams(result))
		return forbidMissing(err)
	})
	return &shown[contractor]{ETag: etag(row.Version), Body: toContractor(row)}, err
}

func (s contractorSearch) read(ctx context.Context, ticketID uuid.UUID) (ticket query.ContractorSearchTicketRow, results []query.ContractorSearchResultsRow, err error) {
	err = s.db.AsLandlord(ctx, db.ReadOnly, func(tx *db.Tx) (err error) {
		ticket, results, err = query.New().ContractorSearchTicketWithResults(ctx, tx, s.results(ticketID, nil))
		return err
	})
	return ticket, results, err
}

func (s contractorSearch) results(ticketID uuid.UUID, unanswered []string) query.ContractorSearchResultsParams {
	return query.ContractorSearchResultsParams{
		TicketID: ticketID, Now: s.now(), Unanswered: unanswered, RowLimit: contractorsearch.Limit,
	}
}

func searchQuery(t query.ContractorSearchTicketRow) contractorsearch.Query {
	place := contractorsearch.Place{PostalCode: t.PostalCode, City: t.City, Country: t.Country}
	if t.Latitude != nil && t.Longitude != nil {
		place.Latitude, place.Longitude = t.Latitude, t.Longitude
	}
	return contractorsearch.Query{Trade: t.Category, Place: place}
}

// keepFound notes a provider's answer, each column by itself, for one statement.
func keepFound(keep *query.ContractorSearchKeepParams, provider contractorsearch.Provider, found []contractorsearch.Contractor) {
	keep.Asked = append(keep.Asked, provider.Name())
	for _, c := range found {
		distance := int32(-1)
		if c.DistanceM != nil {
			distance = *c.DistanceM
		}
		keep.Providers = append(keep.Providers, provider.Name())
		keep.PlaceIds = append(keep.PlaceIds, c.PlaceID)
		keep.Names = append(keep.Names, c.Name)
		keep.Trades = append(keep.Trades, c.Trade)
		keep.Phones = append(keep.Phones, c.Phone)
		keep.Websites = append(keep.Websites, c.Website)
		keep.Addresses = append(keep.Addresses, c.Address)
		keep.DistancesM = append(keep.DistancesM, distance)
		keep.Ratings = append(keep.Ratings, int32(c.Rating))
		keep.ExpireAt = append(keep.ExpireAt, keep.Now.Add(provider.TTL()))
	}
}

// showFound shows a contractor once who is in the landlord's book and on the map:
// the book comes first.
func showFound(results []query.ContractorSearchResultsRow, notice *searchNotice) *foundContractors {
	out := &foundContractors{}
	out.Body.Notice = notice
	out.Body.Results = []foundContractor{}
	shown := map[uuid.UUID]bool{}
	for _, r := range results {
		if r.ContractorID != nil {
			if shown[*r.ContractorID] {
				continue
			}
			shown[*r.ContractorID] = true
		}
		out.Body.Results = append(out.Body.Results, foundContractor{
			ID: r.ID, Provider: r.Provider, ContractorID: r.ContractorID, Name: r.Name, Trade: r.Trade,
			Phone: r.Phone, Website: r.Website, Address: r.Address, DistanceM: r.DistanceM,
			Rating: r.Rating, RatingCount: r.RatingCount, FetchedAt: r.FetchedAt, ExpiresAt: r.ExpiresAt,
		})
	}
	return out
}
