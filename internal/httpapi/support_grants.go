package httpapi

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"rowhouse/internal/db"
	"rowhouse/internal/query"
)

// SupportGrantData is what a landlord lets support see.
type SupportGrantData struct {
	Areas  []string `json:"areas" minItems:"1" maxItems:"4" enum:"properties,tenants,tickets,contractors" example:"[\"tickets\"]" doc:"What may be read: properties with their units; tenants with tenancies and invites; tickets with what tenants see of them, and the units they are about; contractors. Internal comments, files and the audit trail are never open to support"`
	Hours  int32    `json:"hours" minimum:"1" maximum:"72" example:"24" doc:"For how long"`
	Reason line     `json:"reason" maxLength:"500" example:"The plumber is missing from ticket 17" doc:"What support is to look at"`
}

// supportConsent is a grant as support sees it.
type supportConsent struct {
	ID           uuid.UUID `json:"id" format:"uuid"`
	LandlordName *string   `json:"landlordName,omitempty" example:"Canal House Rentals"`
	Areas        []string  `json:"areas" nullable:"false" enum:"properties,tenants,tickets,contractors"`
	Reason       string    `json:"reason" example:"The plumber is missing from ticket 17"`
	ExpiresAt    time.Time `json:"expiresAt"`
	CreatedAt    time.Time `json:"createdAt"`
}

// supportGrant is a grant as its landlord sees it.
type supportGrant struct {
	ID        uuid.UUID  `json:"id" format:"uuid"`
	Areas     []string   `json:"areas" nullable:"false" enum:"properties,tenants,tickets,contractors"`
	Reason    string     `json:"reason" example:"The plumber is missing from ticket 17"`
	State     string     `json:"state" enum:"LIVE,EXPIRED,REVOKED"`
	ExpiresAt time.Time  `json:"expiresAt"`
	RevokedAt *time.Time `json:"revokedAt,omitempty"`
	Version   int32      `json:"version" example:"1" doc:"Counts changes; the ETag holds it"`
	CreatedAt time.Time  `json:"createdAt"`
	UpdatedAt time.Time  `json:"updatedAt"`
}

// supportAccess is one request of support's.
type supportAccess struct {
	ID         uuid.UUID `json:"id" format:"uuid"`
	GrantID    uuid.UUID `json:"grantId" format:"uuid"`
	AgentEmail *string   `json:"agentEmail,omitempty" example:"agent@rowhouse.example" doc:"Who asked"`
	Operation  string    `json:"operation" example:"listSupportedTickets" doc:"What they asked for, as this document names it"`
	RequestID  *string   `json:"requestId,omitempty" example:"0f8d6c1e5a3b4c2d9e7f60718293a4b5" doc:"The X-Request-Id of the request"`
	At         time.Time `json:"at"`
}

// supportGrantRoutes are the operations of landlords on support's access.
func (a *API) supportGrantRoutes(api huma.API) {
	list(api, "/support-grants", "listSupportGrants", "List what you let support see", a.listSupportGrants)
	serve(api, sensitive(creation("/support-grants", "createSupportGrant", "Let support see some of your books for a while")), a.createSupportGrant)
	get(api, "/support-grants/{id}", "getSupportGrant", "Show what you let support see", a.getSupportGrant)
	change(api, http.MethodPost, "/support-grants/{id}/revoke", "revokeSupportGrant", "Let support see it no longer, at once", a.revokeSupportGrant)
	list(api, "/support-accesses", "listSupportAccesses", "List what support has read, newest first", a.listSupportAccesses)
}

func (a *API) createSupportGrant(ctx context.Context, in *createInput[SupportGrantData]) (out *created[supportGrant], err error) {
	areas := slices.Compact(slices.Sorted(slices.Values(in.Body.Areas)))
	err = a.db.AsLandlord(ctx, db.ReadWrite, func(tx *db.Tx) (err error) {
		out, err = once(ctx, tx, in.IdempotencyKey, "createSupportGrant", in.Body, func() (*created[supportGrant], error) {
			row, err := query.New().SupportGrantCreate(ctx, tx, query.SupportGrantCreateParams{
				Areas: areas, Hours: in.Body.Hours, Reason: in.Body.Reason.trimmed(),
			})
			return &created[supportGrant]{
				Location: prefix + "/support-grants/" + row.ID.String(), ETag: etag(row.Version), Body: toSupportGrant(row),
			}, err
		})
		return err
	})
	return out, err
}

type listSupportGrantsInput struct {
	Paging
	Sort  string `query:"sort" enum:"-createdAt" default:"-createdAt" doc:"Order: newest first."`
	State string `query:"state" enum:"LIVE,EXPIRED,REVOKED" doc:"Only grants in this state: LIVE are open to support now."`
}

type listSupportGrantsOutput struct {
	Body struct {
		SupportGrants []supportGrant `json:"supportGrants" nullable:"false"`
		Pagination    pagination     `json:"pagination"`
	}
}

func (a *API) listSupportGrants(ctx context.Context, in *listSupportGrantsInput) (*listSupportGrantsOutput, error) {
	w, err := in.window(in.Sort)
	if err != nil {
		return nil, err
	}
	var rows []query.SupportGrant
	var total int64
	err = a.db.AsLandlord(ctx, db.ReadOnly, func(tx *db.Tx) (err error) {
		rows, total, err = query.New().SupportGrantsPageWithCount(ctx, tx, query.SupportGrantsPageParams{
			State: given(in.State), Sort: w.sort, AfterID: w.after, RowOffset: w.offset, RowLimit: w.rows(),
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	out := &listSupportGrantsOutput{}
	rows, out.Body.Pagination = paginate(w, rows, total, func(g query.SupportGrant) uuid.UUID { return g.ID })
	out.Body.SupportGrants = each(rows, toSupportGrant)
	return out, nil
}

func (a *API) getSupportGrant(ctx context.Context, in *Path) (*shown[supportGrant], error) {
	var row query.SupportGrant
	err := a.db.AsLandlord(ctx, db.ReadOnly, func(tx *db.Tx) (err error) {
		row, err = query.New().SupportGrant(ctx, tx, in.ID)
		return err
	})
	return &shown[supportGrant]{ETag: etag(row.Version), Body: toSupportGrant(row)}, err
}

type revokeSupportGrantInput struct {
	Path
	IfMatch
}

// revokeSupportGrant works at once: what support asks for next finds nothing.
// Revoking again changes nothing.
func (a *API) revokeSupportGrant(ctx context.Context, in *revokeSupportGrantInput) (*shown[supportGrant], error) {
	var row query.SupportGrant
	err := a.db.AsLandlord(ctx, db.ReadWrite, func(tx *db.Tx) (err error) {
		if row, err = query.New().SupportGrant(ctx, tx, in.ID); err != nil {
			return forbidMissing(err)
		}
		if err := in.check(row.Version); err != nil {
			return err
		}
		if row.RevokedAt != nil {
			return nil
		}
		row, err = query.New().SupportGrantRevoke(ctx, tx, in.ID)
		return forbidMissing(err)
	})
	return &shown[supportGrant]{ETag: etag(row.Version), Body: toSupportGrant(row)}, err
}

type listSupportAccessesInput struct {
	Paging
	Sort    string     `query:"sort" enum:"-at" default:"-at" doc:"Order: newest first."`
	GrantID optionalID `query:"grantId" doc:"Only what was read under this grant."`
}

type listSupportAccessesOutput struct {
	Body struct {
		SupportAccesses []supportAccess `json:"supportAccesses" nullable:"false"`
		Pagination      pagination      `json:"pagination"`
	}
}

func (a *API) listSupportAccesses(ctx context.Context, in *listSupportAccessesInput) (*listSupportAccessesOutput, error) {
	w, err := in.window(in.Sort)
	if err != nil {
		return nil, err
	}
	var rows []query.SupportAccessesPageRow
	var total int64
	err = a.db.AsLandlord(ctx, db.ReadOnly, func(tx *db.Tx) (err error) {
		rows, total, err = query.New().SupportAccessesPageWithCount(ctx, tx, query.SupportAccessesPageParams{
			GrantID: in.GrantID.given(), Sort: w.sort, AfterID: w.after, RowOffset: w.offset, RowLimit: w.rows(),
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	out := &listSupportAccessesOutput{}
	rows, out.Body.Pagination = paginate(w, rows, total, func(a query.SupportAccessesPageRow) uuid.UUID { return a.ID })
	out.Body.SupportAccesses = each(rows, func(a query.SupportAccessesPageRow) supportAccess { return supportAccess(a) })
	return out, nil
}

func toSupportGrant(g query.SupportGrant) supportGrant {
	state := "LIVE"
	switch {
	case g.RevokedAt != nil:
		state = "REVOKED"
	case !g.ExpiresAt.After(time.Now()):
		state = "EXPIRED"
	}
	return supportGrant{
		ID: g.ID, Areas: g.Areas, Reason: g.Reason, State: state, ExpiresAt: g.ExpiresAt, RevokedAt: g.RevokedAt,
		Version: g.Version, CreatedAt: g.CreatedAt, UpdatedAt: g.UpdatedAt,
	}
}
