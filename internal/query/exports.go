package query

import (
	"context"

	"github.com/google/uuid"
)

// Exported is a row of an export: its id, by which the next part is found, and its
// cells.
type Exported struct {
	ID    uuid.UUID
	Cells []string
}

// exported makes one type of what the queries for exports return.
func exported[R ExportUnitsRow | ExportPropertiesRow | ExportTenantsRow | ExportTenanciesRow | ExportTenantInvitesRow | ExportContractorsRow | ExportTicketsRow](rows []R, err error) ([]Exported, error) {
	all := make([]Exported, len(rows))
	for i, row := range rows {
		all[i] = Exported(row)
	}
	return all, err
}

// Export reads a part of an export.
type Export func(ctx context.Context, db DBTX, after uuid.UUID, limit int64) ([]Exported, error)

// Exports are the exports by the names of the lists.
var Exports = map[string]Export{
	"units": func(ctx context.Context, db DBTX, after uuid.UUID, limit int64) ([]Exported, error) {
		return exported(New().ExportUnits(ctx, db, ExportUnitsParams{After: after, RowLimit: limit}))
	},
	"properties": func(ctx context.Context, db DBTX, after uuid.UUID, limit int64) ([]Exported, error) {
		return exported(New().ExportProperties(ctx, db, ExportPropertiesParams{After: after, RowLimit: limit}))
	},
	"tenants": func(ctx context.Context, db DBTX, after uuid.UUID, limit int64) ([]Exported, error) {
		return exported(New().ExportTenants(ctx, db, ExportTenantsParams{After: after, RowLimit: limit}))
	},
	"tenancies": func(ctx context.Context, db DBTX, after uuid.UUID, limit int64) ([]Exported, error) {
		return exported(New().ExportTenancies(ctx, db, ExportTenanciesParams{After: after, RowLimit: limit}))
	},
	"tenant-invites": func(ctx context.Context, db DBTX, after uuid.UUID, limit int64) ([]Exported, error) {
		return exported(New().ExportTenantInvites(ctx, db, ExportTenantInvitesParams{After: after, RowLimit: limit}))
	},
	"contractors": func(ctx context.Context, db DBTX, after uuid.UUID, limit int64) ([]Exported, error) {
		return exported(New().ExportContractors(ctx, db, ExportContractorsParams{After: after, RowLimit: limit}))
	},
	"tickets": func(ctx context.Context, db DBTX, after uuid.UUID, limit int64) ([]Exported, error) {
		return exported(New().ExportTickets(ctx, db, ExportTicketsParams{After: after, RowLimit: limit}))
	},
}
