package httpapi

import (
	"context"
	"io"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"rowhouse/internal/csvfile"
	"rowhouse/internal/db"
	"rowhouse/internal/query"
)

// exports are the lists that a landlord takes with them, and their columns. Those of
// units and tenants that can be changed are named as imports read them, so that the file
// can be sent back.
var exports = []struct {
	list, id, summary string
	columns           []string
}{
	{"units", "downloadUnits", "Download all units, to keep or to import again", []string{
		"unit", "propertyName", "kind", "status", "address1", "address2", "city", "state", "postalCode", "country", "bedrooms", "bathrooms",
		"areaM2", "unitRef", "id", "archivedAt", "createdAt",
	}},
	{"properties", "downloadProperties", "Download all properties", []string{
		"name", "kind", "address1", "address2", "city", "state", "postalCode", "country", "latitude", "longitude", "externalRef", "id",
		"archivedAt", "createdAt",
	}},
	{"tenants", "downloadTenants", "Download all tenants, to keep or to import again", []string{
		"firstName", "lastName", "email", "phone", "unit", "propertyName", "tenantRef", "notes", "id", "archivedAt", "createdAt",
	}},
	{"tenancies", "downloadTenancies", "Download all tenancies", []string{
		"firstName", "lastName", "email", "unit", "propertyName", "startDate", "endDate", "noticeGivenOn", "moveOutReason", "id",
		"cancelledAt", "createdAt",
	}},
	{"tenant-invites", "downloadTenantInvites", "Download all invites", []string{
		"firstName", "lastName", "email", "unitLabel", "state", "mailState", "sendCount", "sentAt", "lastError", "expiresAt", "claimedAt",
		"id", "createdAt",
	}},
	{"contractors", "downloadContractors", "Download all contractors", []string{
		"name", "trade", "phone", "email", "website", "address1", "address2", "city", "state", "postalCode", "country", "rating",
		"licenseNo", "insuredUntil", "notes", "id", "archivedAt", "createdAt",
	}},
	{"tickets", "downloadTickets", "Download all tickets", []string{
		"number", "title", "description", "status", "priority", "category", "unit", "propertyName", "firstName", "lastName", "contractor",
		"dueAt", "scheduledAt", "resolvedAt", "closedAt", "costMinor", "currency", "id", "createdAt",
	}},
}

// exportPart is how many rows are held at a time.
const exportPart = 500

// exportRoutes are the operations that give a landlord their lists as spreadsheets.
func (a *API) exportRoutes(api huma.API) {
	for _, export := range exports {
		path := "/exports/" + export.list + ".csv"
		list(api, path, export.id, export.summary, a.export(export.list, export.columns))
		api.OpenAPI().Paths[prefix+path].Get.Responses["200"].Content = binary("text/csv")
	}
}

// export writes a list as it is read, a part at a time, and each part in a transaction
// of its own: a slow reader keeps no connection from others. Rows that come and go
// meanwhile may be in it or not.
func (a *API) export(list string, columns []string) handler[struct{}, csvContent] {
	read := query.Exports[list]
	return func(ctx context.Context, _ *struct{}) (*csvContent, error) {
		part := func(ctx context.Context, after uuid.UUID) (rows []query.Exported, err error) {
			err = a.db.AsLandlord(ctx, db.ReadOnly, func(tx *db.Tx) (err error) {
				rows, err = read(ctx, tx, after, exportPart)
				return err
			})
			return rows, err
		}
		rows, err := part(ctx, uuid.Nil) // what fails at once is answered with a problem
		if err != nil {
			return nil, err
		}
		return csvBody(ctx, list+".csv", func(ctx context.Context, w io.Writer) error {
			out := csvfile.NewWriter(w)
			if err := out.Write(columns); err != nil {
				return err
			}
			for len(rows) > 0 {
				for _, row := range rows {
					if err := out.Write(row.Cells); err != nil {
						return err
					}
				}
				if len(rows) < exportPart {
					break
				}
				if rows, err = part(ctx, rows[len(rows)-1].ID); err != nil {
					return err
				}
			}
			return out.Flush()
		}), nil
	}
}
