package httpapi

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"

	"rowhouse/internal/db"
	"rowhouse/internal/query"
)

// TenantData is what a landlord says of a tenant.
type TenantData struct {
	FirstName   line       `json:"firstName" maxLength:"100" example:"Jo"`
	LastName    line       `json:"lastName" maxLength:"100" example:"Jansen"`
	Email       *email     `json:"email,omitempty" nullable:"true" example:"jo@example.com" doc:"Unique among your tenants; kept in lower case"`
	Phone       *line      `json:"phone,omitempty" nullable:"true" maxLength:"50" example:"+31 6 12345678"`
	UnitID      *uuid.UUID `json:"unitId,omitempty" nullable:"true" format:"uuid" doc:"The unit they live in, if any; tenancies say since when"`
	Notes       *text      `json:"notes,omitempty" nullable:"true" maxLength:"5000" example:"Prefers calls after six." doc:"For you alone: the tenant never sees them"`
	ExternalRef *line      `json:"externalRef,omitempty" nullable:"true" maxLength:"100" example:"T-104" doc:"Your own reference"`
	Archived    bool       `json:"archived,omitempty" doc:"Archived tenants are kept, and left out of lists unless asked for"`
}

// tenant is a tenant as the API shows them.
type tenant struct {
	ID uuid.UUID `json:"id" format:"uuid"`
	TenantData
	PortalStatus   string          `json:"portalStatus" enum:"NOT_INVITED,INVITED,EXPIRED,CLAIMED" doc:"How far they are on the way to a login: CLAIMED has one, INVITED has an open invite, that of EXPIRED has run out"`
	CurrentTenancy *currentTenancy `json:"currentTenancy,omitempty" doc:"The tenancy they have today, if any; of several the primary one, and of these the latest"`
	ArchivedAt     *time.Time      `json:"archivedAt,omitempty" doc:"Since when they are archived"`
	Version        int32           `json:"version" example:"1" doc:"Counts changes; the ETag holds it"`
	CreatedAt      time.Time       `json:"createdAt"`
	UpdatedAt      time.Time       `json:"updatedAt"`
}

type currentTenancy struct {
	ID        uuid.UUID `json:"id" format:"uuid"`
	UnitID    uuid.UUID `json:"unitId" format:"uuid"`
	StartDate date      `json:"startDate" example:"2026-01-01"`
	EndDate   *date     `json:"endDate,omitempty" example:"2026-12-31" doc:"The last day, if there is one"`
}

// TenantFilters say which tenants, and in which order.
type TenantFilters struct {
	Search
	Sort     string     `query:"sort" enum:"name,-name,createdAt,-createdAt" default:"name" doc:"Order; a minus turns it round. By name is by last name, then first."`
	UnitID   optionalID `query:"unitId" doc:"Only tenants who live in this unit."`
	Archived string     `query:"archived" enum:"false,true,all" default:"false" doc:"Whether to show archived tenants."`
}

type listTenantsInput struct {
	Paging
	TenantFilters
}

type listTenantsOutput struct {
	Body struct {
		Tenants    []tenant   `json:"tenants" nullable:"false"`
		Pagination pagination `json:"pagination"`
	}
}

// listTenants is listUnits for tenants.
func (a *API) listTenants(ctx context.Context, in *listTenantsInput) (*listTenantsOutput, error) {
	w, err := in.window(in.Sort)
	if err != nil {
		return nil, err
	}
	var rows []query.TenantsPageRow
	var total int64
	err = reading(ctx, a.db, func(tx *db.Tx) (err error) {
		rows, total, err = query.New().TenantsPageWithCount(ctx, tx, query.TenantsPageParams{
			UnitID: in.UnitID.given(), Archived: archivedFilter(in.Archived), Q: strings.TrimSpace(in.Q),
			Sort: w.sort, AfterID: w.after, RowOffset: w.offset, RowLimit: w.rows(),
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	out := &listTenantsOutput{}
	rows, out.Body.Pagination = paginate(w, rows, total, func(r query.TenantsPageRow) uuid.UUID { return r.Tenant.ID })
	out.Body.Tenants = make([]tenant, len(rows))
	for i, row := range rows {
		out.Body.Tenants[i] = toTenant(query.TenantRow(row))
	}
	return out, nil
}

var tenantsResource = resource[query.TenantRow, TenantData, tenant]{
	path: "/tenants", name: "Tenant", noun: "a tenant",
	read: query.New().Tenant,
	lock: func(ctx context.Context, tx query.DBTX, id uuid.UUID) (query.TenantRow, error) {
		row, err := query.New().TenantForUpdate(ctx, tx, id)
		return query.TenantRow{Tenant: row}, err // what else there is to show is read after the update
	},
	create: func(ctx context.Context, tx query.DBTX, d TenantData) (query.TenantRow, error) {
		row, err := query.New().TenantCreate(ctx, tx, d.params())
		return query.TenantRow{Tenant: row, PortalStatus: "NOT_INVITED"}, err // nothing refers to them yet
	},
	update: func(ctx context.Context, tx *db.Tx, id uuid.UUID, d TenantData) (query.TenantRow, error) {
		p := d.params()
		return query.New().TenantChanged(ctx, tx, query.TenantUpdateParams{
			ID: id, FirstName: p.FirstName, LastName: p.LastName, Email: p.Email, Phone: p.Phone, UnitID: p.UnitID,
			Notes: p.Notes, ExternalRef: p.ExternalRef, Archived: p.Archived,
		})
	},
	remove: archivedFirst(query.New().TenantDelete, "Archive this tenant first. What is archived can be deleted."),
	show:   toTenant, data: tenantData,
	version: func(r query.TenantRow) (uuid.UUID, int32) { return r.Tenant.ID, r.Tenant.Version },
	refused: func(err error) error {
		return taken(err, "tenants_email_key", "email", "Another tenant of yours has this e-mail address.")
	},
}

func (d TenantData) params() query.TenantCreateParams {
	return query.TenantCreateParams{
		FirstName: d.FirstName.trimmed(), LastName: d.LastName.trimmed(), Email: normalEmail(d.Email),
		Phone: (*string)(d.Phone), UnitID: d.UnitID, Notes: (*string)(d.Notes),
		ExternalRef: (*string)(d.ExternalRef), Archived: d.Archived,
	}
}

func toTenant(r query.TenantRow) tenant {
	t := tenant{
		ID: r.Tenant.ID, TenantData: tenantData(r), PortalStatus: r.PortalStatus,
		ArchivedAt: r.Tenant.ArchivedAt, Version: r.Tenant.Version, CreatedAt: r.Tenant.CreatedAt, UpdatedAt: r.Tenant.UpdatedAt,
	}
	if r.TenancyID != nil {
		t.CurrentTenancy = &currentTenancy{
			ID: *r.TenancyID, UnitID: *r.TenancyUnitID, StartDate: dateOf(*r.StartDate), EndDate: optionalDate(r.EndDate),
		}
	}
	return t
}

func tenantData(r query.TenantRow) TenantData {
	t := r.Tenant
	return TenantData{
		FirstName: line(t.FirstName), LastName: line(t.LastName), Email: (*email)(t.Email), Phone: (*line)(t.Phone),
		UnitID: t.UnitID, Notes: (*text)(t.Notes), ExternalRef: (*line)(t.ExternalRef), Archived: t.Archived,
	}
}
