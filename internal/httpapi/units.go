package httpapi

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"

	"rowhouse/internal/db"
	"rowhouse/internal/query"
)

// UnitData is what a landlord says of a unit.
type UnitData struct {
	Name       line       `json:"name" maxLength:"200" example:"Flat 3" doc:"Unique within its property, in any case"`
	PropertyID *uuid.UUID `json:"propertyId,omitempty" nullable:"true" format:"uuid" doc:"The property it stands in, if any"`
	Kind       string     `json:"kind,omitempty" enum:"apartment,house,room,parking,storage,office,shop,other" default:"apartment"`
	Status     string     `json:"status,omitempty" enum:"VACANT,OCCUPIED,NOTICE,OFF_MARKET" default:"VACANT"`
	Address
	Bedrooms    *int16   `json:"bedrooms,omitempty" nullable:"true" minimum:"0" maximum:"99" example:"2"`
	Bathrooms   *float64 `json:"bathrooms,omitempty" nullable:"true" minimum:"0" maximum:"99" multipleOf:"0.5" example:"1.5"`
	AreaM2      *float64 `json:"areaM2,omitempty" nullable:"true" minimum:"0" maximum:"999999" example:"64.5" doc:"Square metres, kept to two decimals"`
	ExternalRef *line    `json:"externalRef,omitempty" nullable:"true" maxLength:"100" example:"CS-12-3" doc:"Your own reference"`
	Archived    bool     `json:"archived,omitempty" doc:"Archived units are kept, and left out of lists unless asked for"`
}

// unit is a unit as the API shows it.
type unit struct {
	ID uuid.UUID `json:"id" format:"uuid"`
	UnitData
	ArchivedAt *time.Time `json:"archivedAt,omitempty" doc:"Since when it is archived"`
	Version    int32      `json:"version" example:"1" doc:"Counts changes; the ETag holds it"`
	CreatedAt  time.Time  `json:"createdAt"`
	UpdatedAt  time.Time  `json:"updatedAt"`
}

// UnitPath names a unit in a path.
type UnitPath struct {
	ID uuid.UUID `path:"id" format:"uuid" doc:"The unit's id"`
}

type unitOutput struct {
	ETag string `header:"ETag" doc:"Its version, for If-Match"`
	Body unit
}

type listUnitsInput struct {
	ListParams
	Sort       string     `query:"sort" enum:"name,-name,createdAt,-createdAt" default:"name" doc:"Order; a minus turns it round."`
	Status     string     `query:"status" enum:"VACANT,OCCUPIED,NOTICE,OFF_MARKET" doc:"Only units with this status."`
	Kind       string     `query:"kind" enum:"apartment,house,room,parking,storage,office,shop,other" doc:"Only units of this kind."`
	PropertyID optionalID `query:"propertyId" doc:"Only units in this property."`
	Archived   string     `query:"archived" enum:"false,true,all" default:"false" doc:"Whether to show archived units."`
}

type listUnitsOutput struct {
	Body struct {
		Units      []unit     `json:"units" nullable:"false"`
		Pagination pagination `json:"pagination"`
	}
}

// listUnits returns a page of the caller's units and how many there are, in one
// round trip with BEGIN and a second for COMMIT.
func (a *API) listUnits(ctx context.Context, in *listUnitsInput) (*listUnitsOutput, error) {
	w, err := in.window(in.Sort)
	if err != nil {
		return nil, err
	}
	var rows []query.Unit
	var total int64
	err = a.db.AsLandlord(ctx, db.ReadOnly, func(tx *db.Tx) (err error) {
		rows, total, err = query.New().UnitsPageWithCount(ctx, tx, query.UnitsPageParams{
			Status: given(in.Status), Kind: given(in.Kind), PropertyID: in.PropertyID.given(),
			Archived: archivedFilter(in.Archived), Q: strings.TrimSpace(in.Q),
			Sort: w.sort, AfterID: w.after, RowOffset: w.offset, RowLimit: w.rows(),
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	out := &listUnitsOutput{}
	rows, out.Body.Pagination = paginate(w, rows, total, func(u query.Unit) uuid.UUID { return u.ID })
	out.Body.Units = make([]unit, len(rows))
	for i, row := range rows {
		out.Body.Units[i] = toUnit(row)
	}
	return out, nil
}

type createUnitInput struct {
	Idempotent
	Body UnitData
}

func (a *API) createUnit(ctx context.Context, in *createUnitInput) (out *created[unit], err error) {
	err = a.db.AsLandlord(ctx, db.ReadWrite, func(tx *db.Tx) (err error) {
		out, err = once(ctx, tx, in.IdempotencyKey, "createUnit", in.Body, func() (*created[unit], error) {
			row, err := query.New().UnitCreate(ctx, tx, in.Body.params())
			return &created[unit]{
				Location: "/api/v1/units/" + row.ID.String(), ETag: etag(row.Version), Body: toUnit(row),
			}, err
		})
		return err
	})
	return out, unitConflict(err)
}

func (a *API) getUnit(ctx context.Context, in *UnitPath) (*unitOutput, error) {
	var row query.Unit
	err := a.db.AsLandlord(ctx, db.ReadOnly, func(tx *db.Tx) (err error) {
		row, err = query.New().Unit(ctx, tx, in.ID)
		return err
	})
	return &unitOutput{ETag: etag(row.Version), Body: toUnit(row)}, err
}

type replaceUnitInput struct {
	UnitPath
	IfMatch
	Body UnitData
}

func (a *API) replaceUnit(ctx context.Context, in *replaceUnitInput) (*unitOutput, error) {
	return a.changeUnit(ctx, in.ID, in.IfMatch, func(UnitData) (UnitData, error) { return in.Body, nil })
}

type patchUnitInput struct {
	UnitPath
	IfMatch
	Body patch[UnitData]
}

func (a *API) patchUnit(ctx context.Context, in *patchUnitInput) (*unitOutput, error) {
	return a.changeUnit(ctx, in.ID, in.IfMatch, in.Body.apply)
}

// changeUnit locks the unit, checks the caller's version and writes what change
// makes of it.
func (a *API) changeUnit(ctx context.Context, id uuid.UUID, h IfMatch, change func(UnitData) (UnitData, error)) (*unitOutput, error) {
	var row query.Unit
	err := a.db.AsLandlord(ctx, db.ReadWrite, func(tx *db.Tx) error {
		current, err := query.New().UnitForUpdate(ctx, tx, id)
		if err != nil {
			return forbidMissing(err)
		}
		if err := h.check(current.Version); err != nil {
			return err
		}
		data, err := change(toUnit(current).UnitData)
		if err != nil {
			return err
		}
		p := data.params()
		row, err = query.New().UnitUpdate(ctx, tx, query.UnitUpdateParams{
			ID: id, PropertyID: p.PropertyID, Name: p.Name, Kind: p.Kind, Status: p.Status,
			Address1: p.Address1, Address2: p.Address2, City: p.City, State: p.State,
			PostalCode: p.PostalCode, Country: p.Country, Bedrooms: p.Bedrooms, Bathrooms: p.Bathrooms,
			AreaM2: p.AreaM2, ExternalRef: p.ExternalRef, Archived: p.Archived,
		})
		return forbidMissing(err)
	})
	return &unitOutput{ETag: etag(row.Version), Body: toUnit(row)}, unitConflict(err)
}

type deleteUnitInput struct {
	UnitPath
	IfMatch
}

func (a *API) deleteUnit(ctx context.Context, in *deleteUnitInput) (*struct{}, error) {
	err := a.db.AsLandlord(ctx, db.ReadWrite, func(tx *db.Tx) error {
		current, err := query.New().UnitForUpdate(ctx, tx, in.ID)
		if err != nil {
			return forbidMissing(err)
		}
		if err := in.check(current.Version); err != nil {
			return err
		}
		deleted, err := query.New().UnitDelete(ctx, tx, in.ID)
		return deletion(deleted, err)
	})
	return nil, err
}

func (d UnitData) params() query.UnitCreateParams {
	return query.UnitCreateParams{
		PropertyID: d.PropertyID, Name: d.Name.trimmed(), Kind: d.Kind, Status: d.Status,
		Address1: (*string)(d.Address1), Address2: (*string)(d.Address2), City: (*string)(d.City),
		State: (*string)(d.State), PostalCode: (*string)(d.PostalCode), Country: d.Country,
		Bedrooms: d.Bedrooms, Bathrooms: d.Bathrooms, AreaM2: d.AreaM2,
		ExternalRef: (*string)(d.ExternalRef), Archived: d.Archived,
	}
}

func toUnit(u query.Unit) unit {
	return unit{
		ID: u.ID,
		UnitData: UnitData{
			Name: line(u.Name), PropertyID: u.PropertyID, Kind: u.Kind, Status: u.Status,
			Address: Address{
				Address1: (*line)(u.Address1), Address2: (*line)(u.Address2), City: (*line)(u.City),
				State: (*line)(u.State), PostalCode: (*line)(u.PostalCode), Country: u.Country,
			},
			Bedrooms: u.Bedrooms, Bathrooms: u.Bathrooms, AreaM2: u.AreaM2,
			ExternalRef: (*line)(u.ExternalRef), Archived: u.Archived,
		},
		ArchivedAt: u.ArchivedAt, Version: u.Version, CreatedAt: u.CreatedAt, UpdatedAt: u.UpdatedAt,
	}
}

// unitConflict names the field when a unit's name is taken.
func unitConflict(err error) error {
	return nameTaken(err, "units_name_key", "Another unit in this property has this name.")
}
