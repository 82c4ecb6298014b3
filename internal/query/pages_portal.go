package query

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// TenantInvitesPageWithCount is UnitsPageWithCount for invites.
func (q *Queries) TenantInvitesPageWithCount(ctx context.Context, db Batcher, arg TenantInvitesPageParams) (invites []TenantInvitesPageRow, total int64, err error) {
	b := &pgx.Batch{}
	b.Queue(tenantInvitesCount, arg.State, arg.TenantID, arg.Email, arg.Q).QueryRow(func(row pgx.Row) error {
		return row.Scan(&total)
	})
	b.Queue(tenantInvitesPage, arg.State, arg.TenantID, arg.Email, arg.Q,
		arg.AfterID, arg.Sort, arg.RowOffset, arg.RowLimit).Query(func(rows pgx.Rows) (err error) {
		invites, err = pgx.CollectRows(rows, pgx.RowToStructByPos[TenantInvitesPageRow])
		return err
	})
	err = db.RunBatch(ctx, b)
	return invites, total, err
}

// TenantInvited is TenantInvite, after Renew or, without it, Revoke, in one round trip.
func (q *Queries) TenantInvited(ctx context.Context, db Batcher, id uuid.UUID, renewed *TenantInviteRenewParams) (TenantInviteRow, error) {
	var found []TenantInviteRow
	b := &pgx.Batch{}
	if renewed != nil {
		b.Queue(tenantInviteRenew, renewed.MailID, renewed.MailKey, renewed.TokenHash, id)
	} else {
		b.Queue(tenantInviteRevoke, id)
	}
	b.Queue(tenantInvite, id).Query(func(rows pgx.Rows) (err error) {
		found, err = pgx.CollectRows(rows, pgx.RowToStructByPos[TenantInviteRow])
		return err
	})
	return only(&found, db.RunBatch(ctx, b))
}

// Invite invites somebody in one round trip: InviteTenant, InviteTenancy,
// InviteOpen. It returns pgx.ErrNoRows for a tenant who has a login.
func (q *Queries) Invite(ctx context.Context, db Batcher, arg InviteTenantParams, mail InviteOpenParams) (InviteOpenRow, error) {
	var found []InviteOpenRow
	b := &pgx.Batch{}
	b.Queue(inviteTenant, arg.FirstName, arg.LastName, arg.Email, arg.UnitID)
	if arg.UnitID != nil {
		b.Queue(inviteTenancy, arg.Email, arg.UnitID)
	}
	b.Queue(inviteOpen, mail.MailID, mail.MailKey, mail.TokenHash, arg.Email).Query(func(rows pgx.Rows) (err error) {
		found, err = pgx.CollectRows(rows, pgx.RowToStructByPos[InviteOpenRow])
		return err
	})
	return only(&found, db.RunBatch(ctx, b))
}

// InviteOneOfMany is somebody for InviteMany.
type InviteOneOfMany struct {
	FirstName string     `json:"first_name"`
	LastName  string     `json:"last_name"`
	Email     string     `json:"email"`
	UnitID    *uuid.UUID `json:"unit_id"`
	MailID    uuid.UUID  `json:"mail_id"`
	MailKey   string     `json:"mail_key"`
	TokenHash string     `json:"token_hash"` // in hex
}

// InviteMany is Invite for many, whose addresses differ: InviteTenants,
// InviteTenancies, InvitesOpen, in one round trip. It returns no row for a tenant who
// has a login.
func (q *Queries) InviteMany(ctx context.Context, db Batcher, sent []InviteOneOfMany) (opened []InvitesOpenRow, err error) {
	text, err := json.Marshal(sent)
	if err != nil {
		return nil, err
	}
	b := &pgx.Batch{}
	b.Queue(inviteTenants, text)
	if slices.ContainsFunc(sent, func(i InviteOneOfMany) bool { return i.UnitID != nil }) {
		b.Queue(inviteTenancies, text)
	}
	b.Queue(invitesOpen, text).Query(func(rows pgx.Rows) (err error) {
		opened, err = pgx.CollectRows(rows, pgx.RowToStructByPos[InvitesOpenRow])
		return err
	})
	err = db.RunBatch(ctx, b)
	return opened, err
}

// Claim claims the invite whose token the caller holds, in one round trip:
// InviteClaim, InviteLink, InviteSeen. Without such an invite it returns
// pgx.ErrNoRows; one that cannot be claimed, or whose tenant has a login, leaves
// claimed or linked false.
func (q *Queries) Claim(ctx context.Context, db Batcher) (invite InviteSeenRow, claimed, linked bool, err error) {
	var found []InviteSeenRow
	b := &pgx.Batch{}
	b.Queue(inviteClaim).Exec(func(tag pgconn.CommandTag) error {
		claimed = tag.RowsAffected() == 1
		return nil
	})
	b.Queue(inviteLink).Exec(func(tag pgconn.CommandTag) error {
		linked = tag.RowsAffected() == 1
		return nil
	})
	b.Queue(inviteSeen).Query(func(rows pgx.Rows) (err error) {
		found, err = pgx.CollectRows(rows, pgx.RowToStructByPos[InviteSeenRow])
		return err
	})
	invite, err = only(&found, db.RunBatch(ctx, b))
	return invite, claimed, linked, err
}

// PortalHomesPageWithCount is UnitsPageWithCount for the caller's homes.
func (q *Queries) PortalHomesPageWithCount(ctx context.Context, db Batcher, arg PortalHomesPageParams) (homes []PortalHomesPageRow, total int64, err error) {
	b := &pgx.Batch{}
	b.Queue(portalHomesCount, arg.Q).QueryRow(func(row pgx.Row) error {
		return row.Scan(&total)
	})
	b.Queue(portalHomesPage, arg.Q, arg.AfterID, arg.Sort, arg.RowOffset, arg.RowLimit).Query(func(rows pgx.Rows) (err error) {
		homes, err = pgx.CollectRows(rows, pgx.RowToStructByPos[PortalHomesPageRow])
		return err
	})
	err = db.RunBatch(ctx, b)
	return homes, total, err
}

// PortalTicketsPageWithCount is UnitsPageWithCount for the caller's tickets.
func (q *Queries) PortalTicketsPageWithCount(ctx context.Context, db Batcher, arg PortalTicketsPageParams) (tickets []PortalTicketsPageRow, total int64, err error) {
	b := &pgx.Batch{}
	b.Queue(portalTicketsCount, arg.Status, arg.TenancyID, arg.Q).QueryRow(func(row pgx.Row) error {
		return row.Scan(&total)
	})
	b.Queue(portalTicketsPage, arg.Status, arg.TenancyID, arg.Q,
		arg.AfterID, arg.Sort, arg.RowOffset, arg.RowLimit).Query(func(rows pgx.Rows) (err error) {
		tickets, err = pgx.CollectRows(rows, pgx.RowToStructByPos[PortalTicketsPageRow])
		return err
	})
	err = db.RunBatch(ctx, b)
	return tickets, total, err
}

// PortalTicketStory is a ticket with the newest of its comments and of the changes
// of its status.
type PortalTicketStory struct {
	Ticket   PortalTicketRow
	Comments []PortalCommentsRow
	Events   []PortalEventsRow
}

// PortalTicketStory reads a ticket in one round trip. moved, if not empty, is the
// status that the ticket gets first.
func (q *Queries) PortalTicketStory(ctx context.Context, db Batcher, id uuid.UUID, moved string, limit int64) (story PortalTicketStory, err error) {
	var found []PortalTicketRow
	b := &pgx.Batch{}
	if moved != "" {
		b.Queue(portalTicketMove, moved, id)
	}
	b.Queue(portalTicket, id).Query(func(rows pgx.Rows) (err error) {
		found, err = pgx.CollectRows(rows, pgx.RowToStructByPos[PortalTicketRow])
		return err
	})
	b.Queue(portalComments, id, limit).Query(func(rows pgx.Rows) (err error) {
		story.Comments, err = pgx.CollectRows(rows, pgx.RowToStructByPos[PortalCommentsRow])
		return err
	})
	b.Queue(portalEvents, id, limit).Query(func(rows pgx.Rows) (err error) {
		story.Events, err = pgx.CollectRows(rows, pgx.RowToStructByPos[PortalEventsRow])
		return err
	})
	story.Ticket, err = only(&found, db.RunBatch(ctx, b))
	return story, err
}

// only is the one row of a query that ran in a batch, or pgx.ErrNoRows. Said within
// the batch, that would count as a statement's failure, and pgx would prepare the
// statement anew.
func only[R any](found *[]R, err error) (row R, _ error) {
	switch {
	case err != nil:
		return row, err
	case len(*found) == 0:
		return row, pgx.ErrNoRows
	}
	return (*found)[0], nil
}
