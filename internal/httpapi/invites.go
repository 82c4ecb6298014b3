package httpapi

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"rowhouse/internal/auth"
	"rowhouse/internal/db"
	"rowhouse/internal/errs"
	"rowhouse/internal/invitetoken"
	"rowhouse/internal/query"
)

// InviteData is whom a landlord invites.
type InviteData struct {
	FirstName line       `json:"firstName" maxLength:"100" example:"Ada"`
	LastName  line       `json:"lastName" maxLength:"100" example:"Byron"`
	Email     email      `json:"email" example:"ada@example.com" doc:"A tenant of yours with this address is taken as they are, and comes back from the archive"`
	UnitID    *uuid.UUID `json:"unitId,omitempty" nullable:"true" format:"uuid" doc:"Where they live, if you say so: a tenancy from today without an end is made, unless there is one that has not ended"`
}

// invited is the answer to an invite. The token is in the mail alone.
type invited struct {
	InviteID  uuid.UUID `json:"inviteId" format:"uuid"`
	TenantID  uuid.UUID `json:"tenantId" format:"uuid"`
	Email     string    `json:"email" example:"ada@example.com"`
	ExpiresAt time.Time `json:"expiresAt"`
	State     string    `json:"state" enum:"PENDING"`
}

// tenantInvite is an invite as the API shows it to the landlord.
type tenantInvite struct {
	ID           uuid.UUID  `json:"id" format:"uuid"`
	TenantID     uuid.UUID  `json:"tenantId" format:"uuid"`
	FirstName    string     `json:"firstName" example:"Ada" doc:"The tenant's"`
	LastName     string     `json:"lastName" example:"Byron" doc:"The tenant's"`
	UnitID       *uuid.UUID `json:"unitId,omitempty" format:"uuid"`
	Email        string     `json:"email" example:"ada@example.com" doc:"Whoever claims it must have proven this address"`
	LandlordName *string    `json:"landlordName,omitempty" example:"Canal House Rentals" doc:"As the invited person sees it"`
	UnitLabel    *string    `json:"unitLabel,omitempty" example:"Flat 3, Canal House" doc:"As the invited person sees it"`
	State        string     `json:"state" enum:"PENDING,EXPIRED,CLAIMED,REVOKED"`
	ExpiresAt    time.Time  `json:"expiresAt"`
	SendCount    int32      `json:"sendCount" example:"1" doc:"How often it was sent, each time with another link"`
	MailState    *string    `json:"mailState,omitempty" enum:"QUEUED,SENT,FAILED,BOUNCED" doc:"What became of the last mail: it waits, the mail server took it, it could not be sent, or it came back. Absent if that is not known"`
	SentAt       *time.Time `json:"sentAt,omitempty" doc:"When the mail server took the last mail"`
	LastError    *string    `json:"lastError,omitempty" example:"There is no mailbox with this address." doc:"Why the last mail failed or came back; while it waits, why it has not left yet"`
	ClaimedAt    *time.Time `json:"claimedAt,omitempty"`
	RevokedAt    *time.Time `json:"revokedAt,omitempty"`
	Version      int32      `json:"version" example:"1" doc:"Counts changes; the ETag holds it"`
	CreatedAt    time.Time  `json:"createdAt"`
	UpdatedAt    time.Time  `json:"updatedAt"`
}

// inviteRoutes are the operations of landlords on invites.
func (a *API) inviteRoutes(api huma.API) {
	create(api, "/tenants/invite", "inviteTenant", "Invite a tenant", a.inviteTenant)
	create(api, "/tenants/invite/bulk", "inviteTenants", "Invite many tenants at once, each judged by itself", a.inviteTenants)
	list(api, "/tenant-invites", "listTenantInvites", "List your invites", a.listTenantInvites)
	get(api, "/tenant-invites/{id}", "getTenantInvite", "Show an invite", a.getTenantInvite)
	change(api, http.MethodPost, "/tenant-invites/{id}/resend", "resendTenantInvite", "Send an invite again, with another link", a.resendTenantInvite)
	change(api, http.MethodPost, "/tenant-invites/{id}/revoke", "revokeTenantInvite", "Make an invite void", a.revokeTenantInvite)
}

// mint makes the token of another mail of the caller's. Nothing keeps it; whoever
// mails the invite computes it again.
func (a *API) mint(ctx context.Context) invitetoken.Minted {
	caller, _ := auth.From(ctx) // who is nobody is refused by the database
	return a.inviteKeys.Mint(caller.UserID)
}

// alreadyClaimed refuses to invite somebody who has a login.
var alreadyClaimed = errs.New(errs.Conflict, "already_claimed", "This tenant has claimed an invite already, and needs no other.")

// inviteTenant makes the tenant if there is none with this address, and opens an
// invite or renews the one that is open: its earlier link is void. The mail is queued
// in the same transaction, by the database itself.
func (a *API) inviteTenant(ctx context.Context, in *createInput[InviteData]) (out *created[invited], err error) {
	mail := a.mint(ctx)
	var row query.InviteOpenRow
	err = a.db.AsLandlord(ctx, db.ReadWrite, func(tx *db.Tx) (err error) {
		out, err = once(ctx, tx, in.IdempotencyKey, "inviteTenant", in.Body, func() (*created[invited], error) {
			row, err = query.New().Invite(ctx, tx, query.InviteTenantParams{
				FirstName: in.Body.FirstName.trimmed(), LastName: in.Body.LastName.trimmed(),
				Email: in.Body.Email.normal(), UnitID: in.Body.UnitID,
			}, query.InviteOpenParams{MailID: mail.MailID, MailKey: mail.Key, TokenHash: mail.Hash})
			if errors.Is(err, pgx.ErrNoRows) {
				return nil, alreadyClaimed.Because(err)
			}
			return &created[invited]{
				Location: prefix + "/tenant-invites/" + row.ID.String(), ETag: etag(row.Version),
				Body: invited{InviteID: row.ID, TenantID: row.TenantID, Email: row.Email, ExpiresAt: row.ExpiresAt, State: "PENDING"},
			}, err
		})
		return err
	})
	return out, err
}

// TenantInviteFilters say which invites, and in which order.
type TenantInviteFilters struct {
	Search
	Sort     string     `query:"sort" enum:"createdAt,-createdAt" default:"-createdAt" doc:"Order; a minus turns it round."`
	State    string     `query:"state" enum:"PENDING,EXPIRED,CLAIMED,REVOKED" doc:"Only invites in this state."`
	TenantID optionalID `query:"tenantId" doc:"Only invites of this tenant."`
	Email    email      `query:"email" example:"ada@example.com" doc:"Only invites to this address, whole and in any case."`
}

type listTenantInvitesInput struct {
	Paging
	TenantInviteFilters
}

type listTenantInvitesOutput struct {
	Body struct {
		TenantInvites []tenantInvite `json:"tenantInvites" nullable:"false"`
		Pagination    pagination     `json:"pagination"`
	}
}

func (f TenantInviteFilters) params(w window) query.TenantInvitesPageParams {
	return query.TenantInvitesPageParams{
		State: given(f.State), TenantID: f.TenantID.given(), Email: given(string(f.Email)), Q: strings.TrimSpace(f.Q),
		Sort: w.sort, AfterID: w.after, RowOffset: w.offset, RowLimit: w.rows(),
	}
}

// listTenantInvites is listUnits for invites.
func (a *API) listTenantInvites(ctx context.Context, in *listTenantInvitesInput) (*listTenantInvitesOutput, error) {
	w, err := in.window(in.Sort)
	if err != nil {
		return nil, err
	}
	var rows []query.TenantInvitesPageRow
	var total int64
	err = reading(ctx, a.db, func(tx *db.Tx) (err error) {
		rows, total, err = query.New().TenantInvitesPageWithCount(ctx, tx, in.params(w))
		return err
	})
	if err != nil {
		return nil, err
	}
	out := &listTenantInvitesOutput{}
	rows, out.Body.Pagination = paginate(w, rows, total, func(i query.TenantInvitesPageRow) uuid.UUID { return i.ID })
	out.Body.TenantInvites = make([]tenantInvite, len(rows))
	for i, row := range rows {
		out.Body.TenantInvites[i] = tenantInvite(row)
	}
	return out, nil
}

func (a *API) getTenantInvite(ctx context.Context, in *Path) (*shown[tenantInvite], error) {
	var row query.TenantInviteRow
	err := a.db.AsLandlord(ctx, db.ReadOnly, func(tx *db.Tx) (err error) {
		row, err = query.New().TenantInvite(ctx, tx, in.ID)
		return err
	})
	return showTenantInvite(row), err
}

type changeInviteInput struct {
	Path
	IfMatch
}

// resendTenantInvite makes the earlier link void: a mail that went astray opens
// nothing any more. An invite that has expired is good for another 14 days.
func (a *API) resendTenantInvite(ctx context.Context, in *changeInviteInput) (*shown[tenantInvite], error) {
	mail := a.mint(ctx)
	return a.changeInvite(ctx, in, &query.TenantInviteRenewParams{MailID: mail.MailID, MailKey: mail.Key, TokenHash: mail.Hash})
}

func (a *API) revokeTenantInvite(ctx context.Context, in *changeInviteInput) (*shown[tenantInvite], error) {
	return a.changeInvite(ctx, in, nil)
}

// changeInvite renews an invite, or revokes it without what to renew it with.
func (a *API) changeInvite(ctx context.Context, in *changeInviteInput, renewed *query.TenantInviteRenewParams) (*shown[tenantInvite], error) {
	var row query.TenantInviteRow
	err := a.db.AsLandlord(ctx, db.ReadWrite, func(tx *db.Tx) error {
		current, err := query.New().TenantInviteForUpdate(ctx, tx, in.ID)
		if err != nil {
			return forbidMissing(err)
		}
		if err := in.check(current.Version); err != nil {
			return err
		}
		switch current.State {
		case "CLAIMED":
			return alreadyClaimed
		case "REVOKED":
			return errs.New(errs.Conflict, "invite_revoked", "This invite was revoked, for good. Invite the tenant anew if they should come.")
		}
		row, err = query.New().TenantInvited(ctx, tx, in.ID, renewed)
		return err
	})
	return showTenantInvite(row), err
}

func showTenantInvite(row query.TenantInviteRow) *shown[tenantInvite] {
	return &shown[tenantInvite]{ETag: etag(row.Version), Body: tenantInvite(row)}
}
