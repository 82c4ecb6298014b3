package httpapi

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"rowhouse/internal/db"
	"rowhouse/internal/errs"
	"rowhouse/internal/query"
)

// Invitation is what has to reach the person who is invited.
type Invitation struct {
	InviteID     uuid.UUID
	Email        string
	Token        string // opens the invite; it is kept nowhere else
	LandlordName *string
	UnitLabel    *string
	ExpiresAt    time.Time
}

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
	SentAt       *time.Time `json:"sentAt,omitempty" doc:"When the last mail left, if that is known"`
	LastError    *string    `json:"lastError,omitempty" example:"The address does not exist." doc:"Why the last mail did not leave"`
	ClaimedAt    *time.Time `json:"claimedAt,omitempty"`
	RevokedAt    *time.Time `json:"revokedAt,omitempty"`
	Version      int32      `json:"version" example:"1" doc:"Counts changes; the ETag holds it"`
	CreatedAt    time.Time  `json:"createdAt"`
	UpdatedAt    time.Time  `json:"updatedAt"`
}

// inviteRoutes are the operations of landlords on invites.
func (a *API) inviteRoutes(api huma.API) {
	create(api, "/tenants/invite", "inviteTenant", "Invite a tenant", a.inviteTenant)
	list(api, "/tenant-invites", "listTenantInvites", "List your invites", a.listTenantInvites)
	get(api, "/tenant-invites/{id}", "getTenantInvite", "Show an invite", a.getTenantInvite)
	change(api, http.MethodPost, "/tenant-invites/{id}/resend", "resendTenantInvite", "Send an invite again, with another link", a.resendTenantInvite)
	change(api, http.MethodPost, "/tenant-invites/{id}/revoke", "revokeTenantInvite", "Make an invite void", a.revokeTenantInvite)
}

// newToken returns what opens an invite, and the hash that is kept of it.
func newToken() (token string, hash []byte) {
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // it never fails
	token = base64.RawURLEncoding.EncodeToString(raw)
	sum := sha256.Sum256([]byte(token))
	return token, sum[:]
}

// alreadyClaimed refuses to invite somebody who has a login.
var alreadyClaimed = errs.New(errs.Conflict, "already_claimed", "This tenant has claimed an invite already, and needs no other.")

// inviteTenant makes the tenant if there is none with this address, and opens an
// invite or renews the one that is open: its earlier link is void.
func (a *API) inviteTenant(ctx context.Context, in *createInput[InviteData]) (out *created[invited], err error) {
	token, hash := newToken()
	var row query.InviteOpenRow
	err = a.db.AsLandlord(ctx, db.ReadWrite, func(tx *db.Tx) (err error) {
		out, err = once(ctx, tx, in.IdempotencyKey, "inviteTenant", in.Body, func() (*created[invited], error) {
			row, err = query.New().Invite(ctx, tx, query.InviteTenantParams{
				FirstName: in.Body.FirstName.trimmed(), LastName: in.Body.LastName.trimmed(),
				Email: in.Body.Email.normal(), UnitID: in.Body.UnitID,
			}, hash)
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
	if err != nil {
		return nil, err
	}
	if !out.Replayed {
		a.deliver(ctx, Invitation{
			InviteID: row.ID, Email: row.Email, Token: token,
			LandlordName: row.LandlordName, UnitLabel: row.UnitLabel, ExpiresAt: row.ExpiresAt,
		})
	}
	return out, nil
}

// deliver hands a committed invite over, once. The invite stands even if that
// fails or the process ends before it: then the landlord sends it again.
func (a *API) deliver(ctx context.Context, invitation Invitation) {
	if a.invited == nil {
		return
	}
	if err := a.invited(ctx, invitation); err != nil {
		slog.ErrorContext(ctx, "an invite was made and not delivered", "invite", invitation.InviteID, "error", err)
	}
}

type listTenantInvitesInput struct {
	ListParams
	Sort     string     `query:"sort" enum:"createdAt,-createdAt" default:"-createdAt" doc:"Order; a minus turns it round."`
	State    string     `query:"state" enum:"PENDING,EXPIRED,CLAIMED,REVOKED" doc:"Only invites in this state."`
	TenantID optionalID `query:"tenantId" doc:"Only invites of this tenant."`
	Email    email      `query:"email" example:"ada@example.com" doc:"Only invites to this address, whole and in any case."`
}

type listTenantInvitesOutput struct {
	Body struct {
		TenantInvites []tenantInvite `json:"tenantInvites" nullable:"false"`
		Pagination    pagination     `json:"pagination"`
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
		rows, total, err = query.New().TenantInvitesPageWithCount(ctx, tx, query.TenantInvitesPageParams{
			State: given(in.State), TenantID: in.TenantID.given(), Email: given(string(in.Email)), Q: strings.TrimSpace(in.Q),
			Sort: w.sort, AfterID: w.after, RowOffset: w.offset, RowLimit: w.rows(),
		})
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
	token, hash := newToken()
	out, err := a.changeInvite(ctx, in, hash)
	if err != nil {
		return nil, err
	}
	a.deliver(ctx, Invitation{
		InviteID: out.Body.ID, Email: out.Body.Email, Token: token,
		LandlordName: out.Body.LandlordName, UnitLabel: out.Body.UnitLabel, ExpiresAt: out.Body.ExpiresAt,
	})
	return out, nil
}

func (a *API) revokeTenantInvite(ctx context.Context, in *changeInviteInput) (*shown[tenantInvite], error) {
	return a.changeInvite(ctx, in, nil)
}

// changeInvite renews an invite with a token's hash, or revokes it without one.
func (a *API) changeInvite(ctx context.Context, in *changeInviteInput, renewedWith []byte) (*shown[tenantInvite], error) {
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
		row, err = query.New().TenantInvited(ctx, tx, in.ID, renewedWith)
		return err
	})
	return showTenantInvite(row), err
}

func showTenantInvite(row query.TenantInviteRow) *shown[tenantInvite] {
	return &shown[tenantInvite]{ETag: etag(row.Version), Body: tenantInvite(row)}
}
