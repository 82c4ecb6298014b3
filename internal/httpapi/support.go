package httpapi

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"github.com/google/uuid"

	"rowhouse/internal/db"
	"rowhouse/internal/errs"
	"rowhouse/internal/problem"
	"rowhouse/internal/query"
)

// supportRoutes are the operations of people who work for Rowhouse: they see which
// landlords let them look, and read there what landlords read themselves. Each
// request under a grant is written down for the landlord before it is answered.
func (a *API) supportRoutes(api huma.API) {
	list(api, "/support/grants", "listLiveSupportGrants", "List what landlords let support see now", a.listLiveSupportGrants)
	supported(api, a, "/properties", "listSupportedProperties", "List the landlord's properties", a.listProperties)
	supported(api, a, "/units", "listSupportedUnits", "List the landlord's units", a.listUnits)
	supported(api, a, "/tenants", "listSupportedTenants", "List the landlord's tenants", a.listTenants)
	supported(api, a, "/tenancies", "listSupportedTenancies", "List the landlord's tenancies", a.listTenancies)
	supported(api, a, "/tenant-invites", "listSupportedTenantInvites", "List the landlord's invites", a.listTenantInvites)
	supported(api, a, "/tickets", "listSupportedTickets", "List the landlord's tickets", a.listTickets)
	supported(api, a, "/tickets/{id}", "getSupportedTicket", "Show a ticket of the landlord's", rows[query.TicketRow, TicketState, ticket]{ticketsResource, a.db}.get)
	supported(api, a, "/tickets/{id}/comments", "listSupportedComments", "List what the landlord and a tenant said about a ticket", a.listComments)
	supported(api, a, "/tickets/{id}/timeline", "getSupportedTicketTimeline", "Show what happened to a ticket of the landlord's", a.ticketTimeline)
	supported(api, a, "/contractors", "listSupportedContractors", "List the landlord's contractors", a.listContractors)
}

// supported registers an operation that landlords have for support too, under a
// grant.
func supported[I, O any](api huma.API, a *API, path, id, summary string, h handler[I, O]) {
	operation := describe(http.MethodGet, "/support/grants/{grantId}"+path, id, summary, http.StatusOK, http.StatusNotFound)
	operation.Parameters = []*huma.Param{{
		Name: "grantId", In: "path", Required: true, Description: "The landlord's grant",
		Schema: &huma.Schema{Type: huma.TypeString, Format: "uuid"},
	}}
	operation.Middlewares = huma.Middlewares{a.writeDown}
	serve(api, operation, h)
}

type supportAccessKey struct{}

// writeDown commits an entry for the landlord that support makes this request, and
// lets it go on under that entry. Without a live grant there is nothing here.
func (a *API) writeDown(ctx huma.Context, next func(huma.Context)) {
	logged, err := a.recordSupportAccess(ctx.Context(), ctx.Param("grantId"), ctx.Operation().OperationID)
	if err != nil {
		r, w := humachi.Unwrap(ctx)
		problem.Write(w, r, err)
		return
	}
	next(huma.WithValue(ctx, supportAccessKey{}, logged))
}

func (a *API) recordSupportAccess(ctx context.Context, grant, operation string) (logged uuid.UUID, err error) {
	grantID, err := uuid.Parse(grant)
	if err != nil {
		return uuid.Nil, errs.New(errs.Invalid, "invalid_request", "The request has errors; nothing was changed.").
			At(errs.Field{Parameter: "grantId", Message: "expected a UUID"})
	}
	err = a.db.AsSupport(ctx, db.ReadWrite, uuid.Nil, func(tx *db.Tx) (err error) {
		logged, err = query.New().SupportAccessCreate(ctx, tx, query.SupportAccessCreateParams{GrantID: grantID, Operation: operation})
		return err
	})
	if errs.KindOf(err) == errs.Forbidden { // reading what is not there and what one may not is answered alike
		return uuid.Nil, db.NotFound().Because(err)
	}
	return logged, err
}

// reading runs fn in a read-only transaction of the landlord who asks, or of the
// support agent whose request writeDown has let through.
func reading(ctx context.Context, d *db.DB, fn func(tx *db.Tx) error) error {
	if logged, ok := ctx.Value(supportAccessKey{}).(uuid.UUID); ok {
		return d.AsSupport(ctx, db.ReadOnly, logged, fn)
	}
	return d.AsLandlord(ctx, db.ReadOnly, fn)
}

type listLiveSupportGrantsInput struct {
	Paging
	Sort string `query:"sort" enum:"expiresAt" default:"expiresAt" doc:"Order: what ends first comes first."`
}

type listLiveSupportGrantsOutput struct {
	Body struct {
		SupportGrants []supportConsent `json:"supportGrants" nullable:"false"`
		Pagination    pagination       `json:"pagination"`
	}
}

func (a *API) listLiveSupportGrants(ctx context.Context, in *listLiveSupportGrantsInput) (*listLiveSupportGrantsOutput, error) {
	w, err := in.window(in.Sort)
	if err != nil {
		return nil, err
	}
	var rows []query.LiveSupportGrantsPageRow
	var total int64
	err = a.db.AsSupport(ctx, db.ReadOnly, uuid.Nil, func(tx *db.Tx) (err error) {
		rows, total, err = query.New().LiveSupportGrantsPageWithCount(ctx, tx, query.LiveSupportGrantsPageParams{
			Sort: w.sort, AfterID: w.after, RowOffset: w.offset, RowLimit: w.rows(),
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	out := &listLiveSupportGrantsOutput{}
	rows, out.Body.Pagination = paginate(w, rows, total, func(g query.LiveSupportGrantsPageRow) uuid.UUID { return g.ID })
	out.Body.SupportGrants = make([]supportConsent, len(rows))
	for i, g := range rows {
		out.Body.SupportGrants[i] = supportConsent{
			ID: g.ID, LandlordName: g.LandlordName, Areas: g.Areas, Reason: g.Reason, ExpiresAt: g.ExpiresAt, CreatedAt: g.CreatedAt,
		}
	}
	return out, nil
}
