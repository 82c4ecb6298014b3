package httpapi

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"

	"rowhouse/internal/db"
	"rowhouse/internal/errs"
	"rowhouse/internal/query"
)

// TicketData is what a landlord says of a ticket, at first and later.
type TicketData struct {
	UnitID          uuid.UUID  `json:"unitId" format:"uuid" doc:"The unit it is about"`
	Title           line       `json:"title" maxLength:"200" example:"The kitchen tap drips"`
	Description     *text      `json:"description,omitempty" nullable:"true" maxLength:"10000" example:"Since Monday, a bucket a day."`
	Category        string     `json:"category,omitempty" enum:"PLUMBING,ELECTRICAL,HVAC,APPLIANCE,STRUCTURAL,PEST,LOCKS_KEYS,CLEANING,NOISE,INTERNET_TV,EXTERIOR,OTHER" default:"OTHER"`
	Priority        string     `json:"priority,omitempty" enum:"LOW,NORMAL,HIGH,EMERGENCY" default:"NORMAL"`
	ContractorID    *uuid.UUID `json:"contractorId,omitempty" nullable:"true" format:"uuid" doc:"Who is to mend it"`
	DueAt           *time.Time `json:"dueAt,omitempty" nullable:"true" doc:"Unless given, it comes from the priority: 4 hours, 2, 7 or 14 days after the ticket was made"`
	EntryPermission bool       `json:"entryPermission,omitempty" doc:"Whether one may go in when nobody is at home"`
	EntryNotes      *text      `json:"entryNotes,omitempty" nullable:"true" maxLength:"1000" example:"The cat must not get out."`
	ScheduledAt     *time.Time `json:"scheduledAt,omitempty" nullable:"true" doc:"When somebody is to come"`
	CostMinor       *int64     `json:"costMinor,omitempty" nullable:"true" minimum:"0" maximum:"999999999999" example:"12500" doc:"What it cost, in the currency's minor unit; tenants do not see it"`
	Currency        *string    `json:"currency,omitempty" nullable:"true" pattern:"^[A-Z]{3}$" patternDescription:"three letters of ISO 4217" example:"EUR" doc:"Needed with costMinor"`
}

// NewTicket is what a ticket is made of. It begins as NEW.
type NewTicket struct {
	TicketData
	TenantID *uuid.UUID `json:"tenantId,omitempty" nullable:"true" format:"uuid" doc:"The tenant who reported it, if one did: they see it in their portal. It can't be changed afterwards"`
}

// TicketState is what a landlord says of a ticket once it is there.
type TicketState struct {
	TicketData
	Status       string `json:"status" enum:"NEW,OPEN,IN_PROGRESS,ON_HOLD,RESOLVED,CLOSED,CANCELLED" doc:"It can stay or become one of allowedStatuses"`
	StatusReason *line  `json:"statusReason,omitempty" nullable:"true" maxLength:"500" example:"Waiting for a part" doc:"Why it has this status; it stays until it is changed"`
	Archived     bool   `json:"archived,omitempty" doc:"Archived tickets are kept, and left out of lists unless asked for"`
}

// ticket is a ticket as the API shows it to its landlord.
type ticket struct {
	ID     uuid.UUID `json:"id" format:"uuid"`
	Number int32     `json:"number" example:"17" doc:"Counts your tickets from 1"`
	TicketState
	TenantID        *uuid.UUID `json:"tenantId,omitempty" format:"uuid" doc:"The tenant who reported it"`
	Source          string     `json:"source" enum:"TENANT_PORTAL,LANDLORD,API,IMPORT,EMAIL"`
	UnitName        string     `json:"unitName" example:"Flat 3"`
	TenantName      *string    `json:"tenantName,omitempty" example:"Jo Doe"`
	ContractorName  *string    `json:"contractorName,omitempty" example:"Pipe Dreams"`
	AllowedStatuses []string   `json:"allowedStatuses" nullable:"false" example:"[\"OPEN\",\"CANCELLED\"]" doc:"What its status can become now"`
	Overdue         bool       `json:"overdue" doc:"Whether it is due, and not yet done"`
	ResolvedAt      *time.Time `json:"resolvedAt,omitempty"`
	ClosedAt        *time.Time `json:"closedAt,omitempty" doc:"When it was closed or cancelled"`
	ReopenedCount   int32      `json:"reopenedCount" example:"0"`
	LastCommentAt   *time.Time `json:"lastCommentAt,omitempty"`
	ArchivedAt      *time.Time `json:"archivedAt,omitempty" doc:"Since when it is archived"`
	Version         int32      `json:"version" example:"1" doc:"Counts changes; the ETag holds it"`
	CreatedAt       time.Time  `json:"createdAt"`
	UpdatedAt       time.Time  `json:"updatedAt"`
}

// TicketFilters say which tickets, and in which order.
type TicketFilters struct {
	Q            string     `query:"q" maxLength:"100" doc:"Search: part of a title or a description, in any case, or a whole number."`
	Sort         string     `query:"sort" enum:"createdAt,-createdAt,dueAt,-dueAt,number,-number,priority" default:"-createdAt" doc:"Order; a minus turns it round. By priority, emergencies come first."`
	Status       []string   `query:"status" enum:"NEW,OPEN,IN_PROGRESS,ON_HOLD,RESOLVED,CLOSED,CANCELLED" doc:"Only tickets with this status, or with one of these, separated by commas."`
	Priority     string     `query:"priority" enum:"LOW,NORMAL,HIGH,EMERGENCY" doc:"Only tickets with this priority."`
	Category     string     `query:"category" enum:"PLUMBING,ELECTRICAL,HVAC,APPLIANCE,STRUCTURAL,PEST,LOCKS_KEYS,CLEANING,NOISE,INTERNET_TV,EXTERIOR,OTHER" doc:"Only tickets of this category."`
	UnitID       optionalID `query:"unitId" doc:"Only tickets about this unit."`
	TenantID     optionalID `query:"tenantId" doc:"Only tickets that this tenant reported."`
	ContractorID optionalID `query:"contractorId" doc:"Only tickets that this contractor is to mend."`
	Overdue      string     `query:"overdue" enum:"true,false" doc:"Only tickets that are overdue, or that are not."`
	Archived     string     `query:"archived" enum:"false,true,all" default:"false" doc:"Whether to show archived tickets."`
}

type listTicketsInput struct {
	Paging
	TicketFilters
}

type listTicketsOutput struct {
	Body struct {
		Tickets    []ticket   `json:"tickets" nullable:"false"`
		Pagination pagination `json:"pagination"`
	}
}

func (f TicketFilters) params(w window) query.TicketsPageParams {
	var overdue *bool
	if f.Overdue != "" {
		is := f.Overdue == "true"
		overdue = &is
	}
	return query.TicketsPageParams{
		Statuses: f.Status, Priority: given(f.Priority), Category: given(f.Category),
		UnitID: f.UnitID.given(), TenantID: f.TenantID.given(), ContractorID: f.ContractorID.given(),
		Overdue: overdue, Archived: archivedFilter(f.Archived), Q: strings.TrimSpace(f.Q),
		Sort: w.sort, AfterID: w.after, RowOffset: w.offset, RowLimit: w.rows(),
	}
}

func (a *API) listTickets(ctx context.Context, in *listTicketsInput) (*listTicketsOutput, error) {
	w, err := in.window(in.Sort)
	if err != nil {
		return nil, err
	}
	var rows []query.TicketRow
	var total int64
	err = reading(ctx, a.db, func(tx *db.Tx) (err error) {
		rows, total, err = query.New().TicketsPageWithCount(ctx, tx, in.params(w))
		return err
	})
	if err != nil {
		return nil, err
	}
	out := &listTicketsOutput{}
	rows, out.Body.Pagination = paginate(w, rows, total, func(t query.TicketRow) uuid.UUID { return t.ID })
	out.Body.Tickets = make([]ticket, len(rows))
	for i, row := range rows {
		out.Body.Tickets[i] = toTicket(row)
	}
	return out, nil
}

// createTicket is apart from the other operations on single tickets, because a
// ticket is made of less and more than what can be changed of it.
func (a *API) createTicket(ctx context.Context, in *createInput[NewTicket]) (out *created[ticket], err error) {
	d := in.Body
	if err := d.check(); err != nil {
		return nil, err
	}
	err = a.db.AsLandlord(ctx, db.ReadWrite, func(tx *db.Tx) (err error) {
		out, err = once(ctx, tx, in.IdempotencyKey, "createTicket", d, func() (*created[ticket], error) {
			row, err := query.New().TicketCreate(ctx, tx, query.TicketCreateParams{
				UnitID: d.UnitID, TenantID: d.TenantID, Title: d.Title.trimmed(), Description: (*string)(d.Description),
				Category: d.Category, Priority: d.Priority, ContractorID: d.ContractorID, DueAt: d.DueAt,
				EntryPermission: d.EntryPermission, EntryNotes: (*string)(d.EntryNotes), ScheduledAt: d.ScheduledAt,
				CostMinor: d.CostMinor, Currency: d.Currency,
			})
			return &created[ticket]{
				Location: prefix + "/tickets/" + row.ID.String(), ETag: etag(row.Version), Body: toTicket(query.TicketRow(row)),
			}, err
		})
		return err
	})
	return out, err
}

var ticketsResource = resource[query.TicketRow, TicketState, ticket]{
	path: "/tickets", name: "Ticket", noun: "a ticket",
	read: query.New().Ticket,
	lock: func(ctx context.Context, tx query.DBTX, id uuid.UUID) (query.TicketRow, error) {
		row, err := query.New().TicketForUpdate(ctx, tx, id)
		return query.TicketRow(row), err
	},
	update: func(ctx context.Context, tx *db.Tx, id uuid.UUID, d TicketState) (query.TicketRow, error) {
		if err := d.check(); err != nil {
			return query.TicketRow{}, err
		}
		row, err := query.New().TicketUpdate(ctx, tx, query.TicketUpdateParams{
			ID: id, UnitID: d.UnitID, Title: d.Title.trimmed(), Description: (*string)(d.Description),
			Category: d.Category, Priority: d.Priority, Status: d.Status, StatusReason: (*string)(d.StatusReason),
			ContractorID: d.ContractorID, DueAt: d.DueAt, EntryPermission: d.EntryPermission,
			EntryNotes: (*string)(d.EntryNotes), ScheduledAt: d.ScheduledAt, CostMinor: d.CostMinor,
			Currency: d.Currency, Archived: d.Archived,
		})
		return query.TicketRow(row), err
	},
	remove:  archivedFirst(query.New().TicketDelete, "Archive the ticket before you delete it with all that was said about it."),
	show:    toTicket,
	data:    func(t query.TicketRow) TicketState { return toTicket(t).TicketState },
	version: func(t query.TicketRow) (uuid.UUID, int32) { return t.ID, t.Version },
	refused: func(err error) error { return err },
}

// check refuses what each member alone may be, and the whole can't.
func (d TicketData) check() error {
	var fields []errs.Field
	if d.CostMinor != nil && d.Currency == nil {
		fields = append(fields, errs.Field{Pointer: "/currency", Message: "is required with costMinor"})
	}
	for pointer, at := range map[string]*time.Time{"/dueAt": d.DueAt, "/scheduledAt": d.ScheduledAt} {
		// what lies further off is a slip, and further still neither Postgres nor JSON can say it
		if at != nil && (at.Year() < 1970 || at.Year() > 2200) {
			fields = append(fields, errs.Field{Pointer: pointer, Message: "expected a year from 1970 to 2200"})
		}
	}
	if fields == nil {
		return nil
	}
	return errs.New(errs.Invalid, "invalid_request", "The request has errors; nothing was changed.").At(fields...)
}

func toTicket(t query.TicketRow) ticket {
	return ticket{
		ID: t.ID, Number: t.Number,
		TicketState: TicketState{
			TicketData: TicketData{
				UnitID: t.UnitID, Title: line(t.Title), Description: (*text)(t.Description), Category: t.Category,
				Priority: t.Priority, ContractorID: t.ContractorID, DueAt: t.DueAt, EntryPermission: t.EntryPermission,
				EntryNotes: (*text)(t.EntryNotes), ScheduledAt: t.ScheduledAt, CostMinor: t.CostMinor, Currency: t.Currency,
			},
			Status: t.Status, StatusReason: (*line)(t.StatusReason), Archived: t.Archived,
		},
		TenantID: t.TenantID, Source: t.Source, UnitName: t.UnitName, TenantName: fullName(t.TenantFirstName, t.TenantLastName),
		ContractorName: t.ContractorName, AllowedStatuses: t.AllowedStatuses, Overdue: t.Overdue,
		ResolvedAt: t.ResolvedAt, ClosedAt: t.ClosedAt, ReopenedCount: t.ReopenedCount, LastCommentAt: t.LastCommentAt,
		ArchivedAt: t.ArchivedAt, Version: t.Version, CreatedAt: t.CreatedAt, UpdatedAt: t.UpdatedAt,
	}
}

// fullName is a tenant's, or nil if there is none.
func fullName(first, last *string) *string {
	if first == nil || last == nil {
		return nil
	}
	name := *first + " " + *last
	return &name
}

// ticketEntry is one thing that happened to a ticket or was said about it.
type ticketEntry struct {
	ID        uuid.UUID  `json:"id" format:"uuid" doc:"Of a comment, its id"`
	Type      string     `json:"type" enum:"created,status,priority,contractor,unit,due,comment" doc:"What was changed, or comment"`
	Actor     string     `json:"actor" enum:"landlord,tenant,system" doc:"Who did it"`
	From      *string    `json:"from,omitempty" example:"NEW" doc:"What was changed: its value before, if it had one"`
	To        *string    `json:"to,omitempty" example:"OPEN" doc:"What was changed: its value since, if it has one"`
	Kind      *string    `json:"kind,omitempty" enum:"shared,internal" doc:"Of a comment"`
	Text      *string    `json:"body,omitempty" example:"The plumber comes on Monday." doc:"Of a comment"`
	EditedAt  *time.Time `json:"editedAt,omitempty" doc:"Of a comment"`
	CreatedAt time.Time  `json:"createdAt"`
}

type timelineInput struct {
	Path
	Page  int64  `query:"page" minimum:"1" default:"1" doc:"Which page, from 1."`
	Limit int64  `query:"limit" minimum:"1" default:"50" doc:"Entries on a page. More than 100 is served as 100."`
	Sort  string `query:"sort" enum:"createdAt,-createdAt" default:"createdAt" doc:"Order; a minus turns it round."`
}

type timelineOutput struct {
	Body struct {
		Timeline   []ticketEntry `json:"timeline" nullable:"false"`
		Pagination pagination    `json:"pagination"`
	}
}

// ticketTimeline returns a page of what happened to a ticket and what was said about
// it, merged in the order of time. There is no cursor: the order is the point.
func (a *API) ticketTimeline(ctx context.Context, in *timelineInput) (*timelineOutput, error) {
	w, err := Paging{Page: in.Page, Limit: in.Limit}.window(in.Sort)
	if err != nil {
		return nil, err
	}
	var rows []query.TicketTimelinePageRow
	var total int64
	err = reading(ctx, a.db, func(tx *db.Tx) (err error) {
		rows, total, err = query.New().TicketTimelinePageWithCount(ctx, tx, query.TicketTimelinePageParams{
			TicketID: in.ID, Sort: w.sort, RowOffset: w.offset, RowLimit: w.rows(),
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	out := &timelineOutput{}
	rows, out.Body.Pagination = paginate(w, rows, total, func(r query.TicketTimelinePageRow) uuid.UUID { return r.ID })
	out.Body.Timeline = make([]ticketEntry, len(rows))
	for i, r := range rows {
		out.Body.Timeline[i] = ticketEntry{
			ID: r.ID, Type: r.Type, Actor: r.Actor, From: r.FromValue, To: r.ToValue,
			Kind: r.CommentKind, Text: r.Body, EditedAt: r.EditedAt, CreatedAt: r.CreatedAt,
		}
	}
	return out, nil
}
