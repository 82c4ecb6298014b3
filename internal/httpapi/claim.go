package httpapi

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/jackc/pgx/v5"

	"rowhouse/internal/auth"
	"rowhouse/internal/db"
	"rowhouse/internal/errs"
	"rowhouse/internal/query"
)

// seenInvite is an invite as its holder sees it.
type seenInvite struct {
	LandlordName *string   `json:"landlordName,omitempty" example:"Canal House Rentals" doc:"Who invites"`
	UnitLabel    *string   `json:"unitLabel,omitempty" example:"Flat 3, Canal House" doc:"To what, if the landlord said so"`
	Email        string    `json:"email" example:"a***@example.com" doc:"Whom, masked: sign in with this address to claim the invite"`
	State        string    `json:"state" enum:"PENDING,EXPIRED,CLAIMED,REVOKED" doc:"Only what is PENDING can be claimed"`
	ExpiresAt    time.Time `json:"expiresAt"`
}

type inviteToken struct {
	Token string `path:"token" doc:"From the link in the mail" example:"q3J2bXl0b2tlbi1leGFtcGxlLW9mLTMyLWJ5dGVzISE"`
}

func (t inviteToken) invitee(provenEmail string) db.Invitee {
	return db.Invitee{TokenHash: sha256.Sum256([]byte(t.Token)), Email: provenEmail}
}

type seenInviteOutput struct{ Body seenInvite }

// publicRoutes are the operations that need no sign-in.
func (a *API) publicRoutes(api huma.API) {
	public(api, "/invites/{token}", "getInvite", "Show the invite that a link opens", a.getInvite)
}

// claimRoutes are the operations of whoever was invited, signed in.
func (a *API) claimRoutes(api huma.API) {
	register(api, http.MethodPost, "/invites/{token}/claim", "claimInvite", "Claim an invite", http.StatusOK, a.claimInvite,
		http.StatusForbidden, http.StatusNotFound, http.StatusConflict)
}

var inviteUnknown = errs.New(errs.NotFound, "invite_unknown",
	"This link opens no invite. If a newer one was sent, use that; otherwise ask your landlord.")

// getInvite changes nothing, however often it is asked: mail scanners open links.
func (a *API) getInvite(ctx context.Context, in *inviteToken) (*seenInviteOutput, error) {
	var row query.InviteSeenRow
	err := a.db.AsInvitee(ctx, db.ReadOnly, in.invitee(""), func(tx *db.Tx) (err error) {
		row, err = query.New().InviteSeen(ctx, tx)
		return err
	})
	return &seenInviteOutput{seenInvite(row)}, knownInvite(err)
}

func knownInvite(err error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return inviteUnknown.Because(err)
	}
	return err
}

// claimInvite makes the caller the login of the tenant who was invited. The
// policies decide whether they may; what is asked here is only why not.
func (a *API) claimInvite(ctx context.Context, in *inviteToken) (*seenInviteOutput, error) {
	var proven string
	if id, _ := auth.From(ctx); a.emailsProven {
		proven = id.Email
	}
	var row query.InviteSeenRow
	err := a.db.AsInvitee(ctx, db.ReadWrite, in.invitee(proven), func(tx *db.Tx) error {
		var claimed, linked bool
		var err error
		row, claimed, linked, err = query.New().Claim(ctx, tx)
		switch {
		case err != nil:
			return claimRefused(err)
		case !claimed:
			return a.notClaimed(row)
		case !linked:
			return inviteClaimed
		}
		return nil
	})
	return &seenInviteOutput{seenInvite(row)}, err
}

var inviteClaimed = errs.New(errs.Conflict, "invite_claimed", "This invite has been claimed already.")

// notClaimed says why an invite that the caller holds was not theirs to claim.
func (a *API) notClaimed(row query.InviteSeenRow) error {
	switch row.State {
	case "CLAIMED":
		return inviteClaimed
	case "REVOKED":
		return errs.New(errs.Conflict, "invite_revoked", "Your landlord has revoked this invite.")
	case "EXPIRED":
		return errs.New(errs.Conflict, "invite_expired", "This invite has expired. Ask your landlord to send it again.")
	}
	if !a.emailsProven {
		return errs.New(errs.Forbidden, "email_unproven", "Nobody has proven their address here, so no invite can be claimed.")
	}
	return errs.New(errs.Forbidden, "wrong_account", "This invite is for %s. Sign in with that address.", row.Email)
}

// claimRefused words what the database has against a claim.
func claimRefused(err error) error {
	if name, _, ok := db.Constraint(err); ok && name == "tenants_user_key" {
		return errs.New(errs.Conflict, "already_tenant", "You are a tenant of this landlord already, by another invite.").Because(err)
	}
	return knownInvite(err)
}
