package httpapi

import (
	"context"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"rowhouse/internal/db"
	"rowhouse/internal/exports"
	"rowhouse/internal/query"
)

// exportRoutes are the lists as spreadsheets. They have an address of their own, and
// not another Accept of the list's: a link to it works in a browser, and curl -OJ saves
// it under its name.
func (a *API) exportRoutes(api huma.API) {
	export(api, a, "/units", "exportUnits", "Download your units as a spreadsheet", exports.Units,
		func(f *UnitFilters) query.UnitsExportParams {
			return query.UnitsExportParams{
				Status: given(f.Status), Kind: given(f.Kind), PropertyID: f.PropertyID.given(),
				Archived: archivedFilter(f.Archived), Q: strings.TrimSpace(f.Q), Sort: f.Sort,
			}
		})
	export(api, a, "/properties", "exportProperties", "Download your properties as a spreadsheet", exports.Properties,
		func(f *PropertyFilters) query.PropertiesPageParams { return f.params(window{sort: f.Sort}) })
	export(api, a, "/tenants", "exportTenants", "Download your tenants as a spreadsheet", exports.Tenants,
		func(f *TenantFilters) query.TenantsExportParams {
			return query.TenantsExportParams{
				UnitID: f.UnitID.given(), Archived: archivedFilter(f.Archived), Q: strings.TrimSpace(f.Q), Sort: f.Sort,
			}
		})
	export(api, a, "/tenancies", "exportTenancies", "Download your tenancies as a spreadsheet", exports.Tenancies,
		func(f *TenancyFilters) query.TenanciesExportParams {
			return query.TenanciesExportParams{UnitID: f.UnitID.given(), TenantID: f.TenantID.given(), Status: given(f.Status), Sort: f.Sort}
		})
	export(api, a, "/tenant-invites", "exportTenantInvites", "Download your invites as a spreadsheet", exports.TenantInvites,
		func(f *TenantInviteFilters) query.TenantInvitesPageParams { return f.params(window{sort: f.Sort}) })
	export(api, a, "/tickets", "exportTickets", "Download your tickets as a spreadsheet", exports.Tickets,
		func(f *TicketFilters) query.TicketsPageParams { return f.params(window{sort: f.Sort}) })
	export(api, a, "/contractors", "exportContractors", "Download your contractors as a spreadsheet", exports.Contractors,
		func(f *ContractorFilters) query.ContractorsPageParams { return f.params(window{sort: f.Sort}) })
	export(api, a, "/audit", "exportAudit", "Download who changed what as a spreadsheet, newest first", exports.Audit,
		func(f *AuditFilters) query.AuditPageParams { return f.params() })
}

// export registers a list as a spreadsheet, with the filters and orders of the list.
func export[F, P, R any](api huma.API, a *API, path, id, summary string, table exports.Table[P, R], params func(*F) P) {
	path += "/export.csv"
	operation := describe(http.MethodGet, path, id, summary, http.StatusOK)
	operation.Description = "A CSV file in UTF-8, with a byte order mark for Excel. Cells that a spreadsheet would run as a formula begin with an apostrophe; " +
		"importing the file takes it away again. A file that is shorter than its Content-Length was cut off.\n\n" +
		"Answers 429 export_under_way while two files of yours are being made or sent."
	serve(api, operation, func(ctx context.Context, in *F) (*spreadsheet, error) {
		return a.spreadsheet(ctx, table.Name, func(tx *db.Tx, w io.Writer) error {
			return table.WriteCSV(ctx, tx, params(in), w)
		})
	})
	api.OpenAPI().Paths[prefix+path].Get.Responses["200"].Content = binary("text/csv")
}

// spreadsheet is a file that is there as a whole before the first byte is sent.
type spreadsheet struct {
	ContentType   string `header:"Content-Type" doc:"text/csv; charset=utf-8"`
	ContentLength string `header:"Content-Length" doc:"Its size in bytes"`
	Disposition   string `header:"Content-Disposition" doc:"A name to save it under"`
	Body          func(huma.Context)
}

// spreadsheet has write fill a file, in one transaction of the caller's, and sends it.
//
// Nothing is sent while the rows are read. Others wait for the connection, a statement
// may take no longer than the database lets it, and neither can wait for somebody's
// telephone line; and what fails until then is answered as any other request's failure.
// What fails while sending cuts the connection, short of the length that was announced.
func (a *API) spreadsheet(ctx context.Context, name string, write func(*db.Tx, io.Writer) error) (*spreadsheet, error) {
	file, err := a.spools.open(ctx)
	if err != nil {
		return nil, err
	}
	if err := a.fill(ctx, file, write); err != nil {
		file.close(ctx)
		return nil, err
	}
	return &spreadsheet{
		ContentType:   "text/csv; charset=utf-8",
		ContentLength: strconv.FormatInt(file.size, 10),
		Disposition: mime.FormatMediaType("attachment", map[string]string{
			"filename": name + "-" + time.Now().UTC().Format(time.DateOnly) + ".csv",
		}),
		Body: func(hc huma.Context) {
			defer file.close(ctx)
			_, w := humachi.Unwrap(hc)
			_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(sendingTime(file.size))) // or the server's own holds
			hc.SetStatus(http.StatusOK)
			if _, err := io.Copy(hc.BodyWriter(), file); err != nil {
				slog.WarnContext(ctx, "a download ended early", "error", err)
				panic(http.ErrAbortHandler) // a file that is cut short must not look whole
			}
		},
	}, nil
}

// fill has write fill a file in one transaction.
func (a *API) fill(ctx context.Context, file *spool, write func(*db.Tx, io.Writer) error) error {
	done, err := file.turn(ctx)
	if err != nil {
		return err
	}
	defer done()
	return a.db.AsLandlord(ctx, db.ReadOnly, func(tx *db.Tx) error {
		return file.fill(func(w io.Writer) error { return write(tx, w) })
	})
}

// sendingTime is how long sending so many bytes may take: what a file has, and more for
// what is larger than one, down to a slow line's 64 KiB a second.
func sendingTime(size int64) time.Duration {
	return transferTime + time.Duration(size/(64<<10))*time.Second
}
