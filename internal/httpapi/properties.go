package httpapi

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"

	"rowhouse/internal/db"
	"rowhouse/internal/query"
)

// PropertyData is what a landlord says of a property.
type PropertyData struct {
	Name line   `json:"name" maxLength:"200" example:"Canal House" doc:"Unique among your properties, in any case"`
	Kind string `json:"kind,omitempty" enum:"house,apartment_building,condo,commercial,other" default:"other"`
	Address
	Latitude    *float64 `json:"latitude,omitempty" nullable:"true" minimum:"-90" maximum:"90" example:"52.09"`
	Longitude   *float64 `json:"longitude,omitempty" nullable:"true" minimum:"-180" maximum:"180" example:"5.12"`
	ExternalRef *line    `json:"externalRef,omitempty" nullable:"true" maxLength:"100" example:"CS-12-3" doc:"Your own reference"`
	Archived    bool     `json:"archived,omitempty" doc:"Archived properties are kept, and left out of lists unless asked for"`
}

// property is a property as the API shows it.
type property struct {
	ID uuid.UUID `json:"id" format:"uuid"`
	PropertyData
	ArchivedAt *time.Time `json:"archivedAt,omitempty" doc:"Since when it is archived"`
	Version    int32      `json:"version" example:"1" doc:"Counts changes; the ETag holds it"`
	CreatedAt  time.Time  `json:"createdAt"`
	UpdatedAt  time.Time  `json:"updatedAt"`
}

// PropertyFilters say which properties, and in which order.
type PropertyFilters struct {
	Search
	Sort     string `query:"sort" enum:"name,-name,createdAt,-createdAt" default:"name" doc:"Order; a minus turns it round."`
	Kind     string `query:"kind" enum:"house,apartment_building,condo,commercial,other" doc:"Only properties of this kind."`
	Archived string `query:"archived" enum:"false,true,all" default:"false" doc:"Whether to show archived properties."`
}

type listPropertiesInput struct {
	Paging
	PropertyFilters
}

type listPropertiesOutput struct {
	Body struct {
		Properties []property `json:"properties" nullable:"false"`
		Pagination pagination `json:"pagination"`
	}
}

func (f PropertyFilters) params(w window) query.PropertiesPageParams {
	return query.PropertiesPageParams{
		Kind: given(f.Kind), Archived: archivedFilter(f.Archived), Q: strings.TrimSpace(f.Q),
		Sort: w.sort, AfterID: w.after, RowOffset: w.offset, RowLimit: w.rows(),
	}
}

// listProperties is listUnits for properties.
func (a *API) listProperties(ctx context.Context, in *listPropertiesInput) (*listPropertiesOutput, error) {
	w, err := in.window(in.Sort)
	if err != nil {
		return nil, err
	}
	var rows []query.Property
	var total int64
	err = reading(ctx, a.db, func(tx *db.Tx) (err error) {
		rows, total, err = query.New().PropertiesPageWithCount(ctx, tx, in.params(w))
		return err
	})
	if err != nil {
		return nil, err
	}
	out := &listPropertiesOutput{}
	rows, out.Body.Pagination = paginate(w, rows, total, func(p query.Property) uuid.UUID { return p.ID })
	out.Body.Properties = make([]property, len(rows))
	for i, row := range rows {
		out.Body.Properties[i] = toProperty(row)
	}
	return out, nil
}

var propertiesResource = resource[query.Property, PropertyData, property]{
	path: "/properties", name: "Property", noun: "a property",
	read: query.New().Property, lock: query.New().PropertyForUpdate,
	create: func(ctx context.Context, tx query.DBTX, d PropertyData) (query.Property, error) {
		return query.New().PropertyCreate(ctx, tx, d.params())
	},
	update: func(ctx context.Context, tx *db.Tx, id uuid.UUID, d PropertyData) (query.Property, error) {
		p := d.params()
		return query.New().PropertyUpdate(ctx, tx, query.PropertyUpdateParams{
			ID: id, Name: p.Name, Kind: p.Kind,
			Address1: p.Address1, Address2: p.Address2, City: p.City, State: p.State,
			PostalCode: p.PostalCode, Country: p.Country, Latitude: p.Latitude, Longitude: p.Longitude,
			ExternalRef: p.ExternalRef, Archived: p.Archived,
		})
	},
	remove: query.New().PropertyDelete,
	show:   toProperty, data: propertyData,
	version: func(r query.Property) (uuid.UUID, int32) { return r.ID, r.Version },
	refused: func(err error) error {
		return nameTaken(err, "properties_name_key", "Another property of yours has this name.")
	},
}

func (d PropertyData) params() query.PropertyCreateParams {
	return query.PropertyCreateParams{
		Name: d.Name.trimmed(), Kind: d.Kind,
		Address1: (*string)(d.Address1), Address2: (*string)(d.Address2), City: (*string)(d.City),
		State: (*string)(d.State), PostalCode: (*string)(d.PostalCode), Country: d.Country,
		Latitude: d.Latitude, Longitude: d.Longitude,
		ExternalRef: (*string)(d.ExternalRef), Archived: d.Archived,
	}
}

func toProperty(p query.Property) property {
	return property{
		ID: p.ID, PropertyData: propertyData(p),
		ArchivedAt: p.ArchivedAt, Version: p.Version, CreatedAt: p.CreatedAt, UpdatedAt: p.UpdatedAt,
	}
}

func propertyData(p query.Property) PropertyData {
	return PropertyData{
		Name: line(p.Name), Kind: p.Kind,
		Address: Address{
			Address1: (*line)(p.Address1), Address2: (*line)(p.Address2), City: (*line)(p.City),
			State: (*line)(p.State), PostalCode: (*line)(p.PostalCode), Country: p.Country,
		},
		Latitude: p.Latitude, Longitude: p.Longitude,
		ExternalRef: (*line)(p.ExternalRef), Archived: p.Archived,
	}
}
