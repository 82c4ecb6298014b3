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
	Status     string     `json:"status,omitempty" enum:"VACANT,OCCUPIED,NOTICE,OFF_MARKET" default:"VACANT" doc:"What is VACANT shows as OCCUPIED while a tenancy runs"`
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

// UnitFilters say which units, and in which order.
type UnitFilters struct {
	Search
	Sort       string     `query:"sort" enum:"name,-name,createdAt,-createdAt" default:"name" doc:"Order; a minus turns it round."`
	Status     string     `query:"status" enum:"VACANT,OCCUPIED,NOTICE,OFF_MARKET" doc:"Only units with this status."`
	Kind       string     `query:"kind" enum:"apartment,house,room,parking,storage,office,shop,other" doc:"Only units of this kind."`
	PropertyID optionalID `query:"propertyId" doc:"Only units in this property."`
	Archived   string     `query:"archived" enum:"false,true,all" default:"false" doc:"Whether to show archived units."`
}

type listUnitsInput struct {
	Paging
	UnitFilters
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
	err = reading(ctx, a.db, func(tx *db.Tx) (err error) {
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

var unitsResource = resource[query.Unit, UnitData, unit]{
	path: "/units", name: "Unit", noun: "a unit",
	read: func(ctx context.Context, tx query.DBTX, id uuid.UUID) (query.Unit, error) {
		row, err := query.New().Unit(ctx, tx, id)
		return query.Unit(row), err
	},
	lock: query.New().UnitForUpdate,
	create: func(ctx context.Context, tx query.DBTX, d UnitData) (query.Unit, error) {
		return query.New().UnitCreate(ctx, tx, d.params())
	},
	update: func(ctx context.Context, tx *db.Tx, id uuid.UUID, d UnitData) (query.Unit, error) {
		p := d.params()
		row, err := query.New().UnitUpdate(ctx, tx, query.UnitUpdateParams{
			ID: id, PropertyID: p.PropertyID, Name: p.Name, Kind: p.Kind, Status: p.Status,
			Address1: p.Address1, Address2: p.Address2, City: p.City, State: p.State,
			PostalCode: p.PostalCode, Country: p.Country, Bedrooms: p.Bedrooms, Bathrooms: p.Bathrooms,
			AreaM2: p.AreaM2, ExternalRef: p.ExternalRef, Archived: p.Archived,
		})
		return query.Unit(row), err
	},
	remove: query.New().UnitDelete,
	show:   toUnit, data: unitData,
	version: func(r query.Unit) (uuid.UUID, int32) { return r.ID, r.Version },
	refused: func(err error) error {
		return nameTaken(err, "units_name_key", "Another unit in this property has this name.")
	},
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
		ID: u.ID, UnitData: unitData(u),
		ArchivedAt: u.ArchivedAt, Version: u.Version, CreatedAt: u.CreatedAt, UpdatedAt: u.UpdatedAt,
	}
}

func unitData(u query.Unit) UnitData {
	return UnitData{
		Name: line(u.Name), PropertyID: u.PropertyID, Kind: u.Kind, Status: u.Status,
		Address: Address{
			Address1: (*line)(u.Address1), Address2: (*line)(u.Address2), City: (*line)(u.City),
			State: (*line)(u.State), PostalCode: (*line)(u.PostalCode), Country: u.Country,
		},
		Bedrooms: u.Bedrooms, Bathrooms: u.Bathrooms, AreaM2: u.AreaM2,
		ExternalRef: (*line)(u.ExternalRef), Archived: u.Archived,
	}
}
