package httpapi

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"rowhouse/internal/db"
	"rowhouse/internal/query"
)

// maxStory bounds how many comments and how many events a ticket is shown with.
const maxStory = 200

// home is a tenancy as the tenant sees it.
type home struct {
	ID        uuid.UUID    `json:"id" format:"uuid" doc:"The tenancy's; tickets name it as tenancyId"`
	Status    string       `json:"status" enum:"UPCOMING,ACTIVE,NOTICE_GIVEN,ENDED" doc:"Tickets can be opened about a home that is ACTIVE or NOTICE_GIVEN"`
	StartDate date         `json:"startDate" example:"2026-03-01"`
	EndDate   *date        `json:"endDate,omitempty" example:"2027-02-28" doc:"The last day, if one is known"`
	Unit      homeUnit     `json:"unit"`
	Property  *homePlace   `json:"property,omitempty" doc:"The property that the unit stands in, if any; its address holds where the unit has none"`
	Landlord  landlordCard `json:"landlord"`
}

type homeUnit struct {
	Name string `json:"name" example:"Flat 3"`
	Kind string `json:"kind" enum:"apartment,house,room,parking,storage,office,shop,other"`
	Address
}

type homePlace struct {
	Name string `json:"name" example:"Canal House"`
	Address
}

// landlordCard is how to reach a landlord.
type landlordCard struct {
	Name        *string `json:"name,omitempty" example:"Ada Byron"`
	CompanyName *string `json:"companyName,omitempty" example:"Canal House Rentals"`
	Email       *string `json:"email,omitempty" example:"ada@example.com"`
	Phone       *string `json:"phone,omitempty" example:"+31 30 123 4567"`
}

// PortalTicketData is what a tenant says of what is to be done.
type PortalTicketData struct {
	TenancyID       uuid.UUID `json:"tenancyId" format:"uuid" doc:"The home that it is about: one where you live today"`
	Title           line      `json:"title" maxLength:"200" example:"Kitchen tap drips"`
	Description     *text     `json:"description,omitempty" nullable:"true" maxLength:"10000" example:"Day and night, more when the heating is on."`
	Category        string    `json:"category,omitempty" enum:"PLUMBING,ELECTRICAL,HVAC,APPLIANCE,STRUCTURAL,PEST,LOCKS_KEYS,CLEANING,NOISE,INTERNET_TV,EXTERIOR,OTHER" default:"OTHER"`
	EntryPermission bool      `json:"entryPermission,omitempty" doc:"Whether somebody may come in while you are out"`
	EntryNotes      *text     `json:"entryNotes,omitempty" nullable:"true" maxLength:"1000" example:"The cat must stay inside."`
}

// PortalTicket is a ticket as the tenant sees it; exported because portalStory
// embeds it.
type PortalTicket struct {
	ID              uuid.UUID  `json:"id" format:"uuid"`
	Number          int32      `json:"number" example:"17" doc:"Counts the landlord's tickets"`
	TenancyID       *uuid.UUID `json:"tenancyId,omitempty" format:"uuid" doc:"The home that it is about"`
	UnitName        *string    `json:"unitName,omitempty" example:"Flat 3"`
	LandlordName    *string    `json:"landlordName,omitempty" example:"Canal House Rentals"`
	Title           string     `json:"title" example:"Kitchen tap drips"`
	Description     *string    `json:"description,omitempty" example:"Day and night."`
	Category        string     `json:"category" enum:"PLUMBING,ELECTRICAL,HVAC,APPLIANCE,STRUCTURAL,PEST,LOCKS_KEYS,CLEANING,NOISE,INTERNET_TV,EXTERIOR,OTHER"`
	Status          string     `json:"status" enum:"NEW,OPEN,IN_PROGRESS,ON_HOLD,RESOLVED,CLOSED,CANCELLED"`
	EntryPermission bool       `json:"entryPermission"`
	EntryNotes      *string    `json:"entryNotes,omitempty" example:"The cat must stay inside."`
	ScheduledAt     *time.Time `json:"scheduledAt,omitempty" doc:"When somebody comes"`
	ResolvedAt      *time.Time `json:"resolvedAt,omitempty"`
	ClosedAt        *time.Time `json:"closedAt,omitempty"`
	Version         int32      `json:"version" example:"1" doc:"Counts changes; the ETag holds it"`
	CreatedAt       time.Time  `json:"createdAt"`
	UpdatedAt       time.Time  `json:"updatedAt"`
}

type portalComment struct {
	ID        uuid.UUID  `json:"id" format:"uuid"`
	Author    string     `json:"author" enum:"landlord,tenant"`
	Body      string     `json:"body" example:"The plumber comes on Friday."`
	EditedAt  *time.Time `json:"editedAt,omitempty"`
	Version   int32      `json:"version" example:"1"`
	CreatedAt time.Time  `json:"createdAt"`
}

type portalEvent struct {
	From  *string   `json:"from,omitempty" example:"NEW" doc:"Absent when the ticket was opened"`
	To    *string   `json:"to,omitempty" example:"OPEN"`
	Actor string    `json:"actor" enum:"landlord,tenant,system" doc:"Whose doing it was"`
	At    time.Time `json:"at"`
}

// portalStory is a ticket with what was said and done about it.
type portalStory struct {
	PortalTicket
	Comments []portalComment `json:"comments" nullable:"false" doc:"The newest 200, oldest first"`
	Events   []portalEvent   `json:"events" nullable:"false" doc:"What became of its status: the newest 200, oldest first"`
}

// portalRoutes are the operations of tenants.
func (a *API) portalRoutes(api huma.API) {
	list(api, "/portal/homes", "listPortalHomes", "List your homes", a.listPortalHomes)
	list(api, "/portal/tickets", "listPortalTickets", "List the tickets that you reported", a.listPortalTickets)
	create(api, "/portal/tickets", "createPortalTicket", "Report what is to be done", a.createPortalTicket)
	get(api, "/portal/tickets/{id}", "getPortalTicket", "Show a ticket with what was said and done", a.getPortalTicket)
	create(api, "/portal/tickets/{id}/comments", "createPortalComment", "Say something about a ticket", a.createPortalComment)
	change(api, http.MethodPost, "/portal/tickets/{id}/cancel", "cancelPortalTicket", "Take back a ticket that is NEW", a.movePortalTicket("CANCELLED"))
	change(api, http.MethodPost, "/portal/tickets/{id}/reopen", "reopenPortalTicket", "Reopen a ticket within 30 days after it was RESOLVED", a.movePortalTicket("OPEN"))
}

type listPortalHomesInput struct {
	ListParams
	Sort string `query:"sort" enum:"startDate,-startDate" default:"-startDate" doc:"Order; a minus turns it round."`
}

type listPortalHomesOutput struct {
	Body struct {
		Homes      []home     `json:"homes" nullable:"false"`
		Pagination pagination `json:"pagination"`
	}
}

// listPortalHomes is listUnits for a tenant's homes, with all of their landlords.
func (a *API) listPortalHomes(ctx context.Context, in *listPortalHomesInput) (*listPortalHomesOutput, error) {
	w, err := in.window(in.Sort)
	if err != nil {
		return nil, err
	}
	var rows []query.PortalHomesPageRow
	var total int64
	err = a.db.AsTenant(ctx, db.ReadOnly, func(tx *db.Tx) (err error) {
		rows, total, err = query.New().PortalHomesPageWithCount(ctx, tx, query.PortalHomesPageParams{
			Q: strings.TrimSpace(in.Q), Sort: w.sort, AfterID: w.after, RowOffset: w.offset, RowLimit: w.rows(),
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	out := &listPortalHomesOutput{}
	rows, out.Body.Pagination = paginate(w, rows, total, func(h query.PortalHomesPageRow) uuid.UUID { return h.ID })
	out.Body.Homes = make([]home, len(rows))
	for i, row := range rows {
		out.Body.Homes[i] = toHome(row)
	}
	return out, nil
}

func toHome(r query.PortalHomesPageRow) home {
	h := home{
		ID: r.ID, Status: r.Status, StartDate: dateOf(r.StartDate), EndDate: optionalDate(r.EndDate),
		Unit: homeUnit{Name: r.UnitName, Kind: r.UnitKind, Address: Address{
			Address1: (*line)(r.Address1), Address2: (*line)(r.Address2), City: (*line)(r.City),
			State: (*line)(r.State), PostalCode: (*line)(r.PostalCode), Country: r.Country,
		}},
		Landlord: landlordCard{Name: r.LandlordName, CompanyName: r.CompanyName, Email: r.Email, Phone: r.Phone},
	}
	if r.PropertyName != nil {
		h.Property = &homePlace{Name: *r.PropertyName, Address: Address{
			Address1: (*line)(r.PropertyAddress1), Address2: (*line)(r.PropertyAddress2), City: (*line)(r.PropertyCity),
			State: (*line)(r.PropertyState), PostalCode: (*line)(r.PropertyPostalCode), Country: r.PropertyCountry,
		}}
	}
	return h
}

type listPortalTicketsInput struct {
	ListParams
	Sort      string     `query:"sort" enum:"createdAt,-createdAt" default:"-createdAt" doc:"Order; a minus turns it round."`
	Status    string     `query:"status" enum:"NEW,OPEN,IN_PROGRESS,ON_HOLD,RESOLVED,CLOSED,CANCELLED" doc:"Only tickets with this status."`
	TenancyID optionalID `query:"tenancyId" doc:"Only tickets about this home."`
}

type listPortalTicketsOutput struct {
	Body struct {
		Tickets    []PortalTicket `json:"tickets" nullable:"false"`
		Pagination pagination     `json:"pagination"`
	}
}

// listPortalTickets is listUnits for a tenant's tickets, with all of their
// landlords.
func (a *API) listPortalTickets(ctx context.Context, in *listPortalTicketsInput) (*listPortalTicketsOutput, error) {
	w, err := in.window(in.Sort)
	if err != nil {
		return nil, err
	}
	var rows []query.PortalTicketsPageRow
	var total int64
	err = a.db.AsTenant(ctx, db.ReadOnly, func(tx *db.Tx) (err error) {
		rows, total, err = query.New().PortalTicketsPageWithCount(ctx, tx, query.PortalTicketsPageParams{
			Status: given(in.Status), TenancyID: in.TenancyID.given(), Q: strings.TrimSpace(in.Q),
			Sort: w.sort, AfterID: w.after, RowOffset: w.offset, RowLimit: w.rows(),
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	out := &listPortalTicketsOutput{}
	rows, out.Body.Pagination = paginate(w, rows, total, func(t query.PortalTicketsPageRow) uuid.UUID { return t.ID })
	out.Body.Tickets = make([]PortalTicket, len(rows))
	for i, row := range rows {
		out.Body.Tickets[i] = PortalTicket(row)
	}
	return out, nil
}

func (a *API) getPortalTicket(ctx context.Context, in *Path) (*shown[portalStory], error) {
	var story query.PortalTicketStory
	err := a.db.AsTenant(ctx, db.ReadOnly, func(tx *db.Tx) (err error) {
		story, err = query.New().PortalTicketStory(ctx, tx, in.ID, "", maxStory)
		return err
	})
	return showPortalStory(story), err
}

// createPortalTicket opens a ticket about one of the caller's homes: unit, tenant
// and landlord are those of the tenancy.
func (a *API) createPortalTicket(ctx context.Context, in *createInput[PortalTicketData]) (out *created[portalStory], err error) {
	err = a.db.AsTenant(ctx, db.ReadWrite, func(tx *db.Tx) (err error) {
		out, err = once(ctx, tx, in.IdempotencyKey, "createPortalTicket", in.Body, func() (*created[portalStory], error) {
			d := in.Body
			id, err := query.New().PortalTicketCreate(ctx, tx, query.PortalTicketCreateParams{
				TenancyID: d.TenancyID, Title: d.Title.trimmed(), Description: (*string)(d.Description), Category: d.Category,
				EntryPermission: d.EntryPermission, EntryNotes: (*string)(d.EntryNotes),
			})
			if err != nil {
				return nil, forbidMissing(err)
			}
			story, err := query.New().PortalTicketStory(ctx, tx, id, "", maxStory)
			return &created[portalStory]{
				Location: portalTicketPath(id), ETag: etag(story.Ticket.Version), Body: toPortalStory(story),
			}, err
		})
		return err
	})
	return out, err
}

func portalTicketPath(id uuid.UUID) string { return prefix + "/portal/tickets/" + id.String() }

// PortalCommentData is what a tenant says about a ticket.
type PortalCommentData struct {
	Body text `json:"body" maxLength:"10000" example:"I am at home on Friday."`
}

type createPortalCommentInput struct {
	Path
	Idempotent
	Body PortalCommentData
}

func (a *API) createPortalComment(ctx context.Context, in *createPortalCommentInput) (out *created[portalComment], err error) {
	err = a.db.AsTenant(ctx, db.ReadWrite, func(tx *db.Tx) (err error) {
		// of the same words about two tickets, each is said
		request := struct {
			TicketID uuid.UUID
			PortalCommentData
		}{in.ID, in.Body}
		out, err = once(ctx, tx, in.IdempotencyKey, "createPortalComment", request, func() (*created[portalComment], error) {
			row, err := query.New().PortalCommentCreate(ctx, tx, query.PortalCommentCreateParams{TicketID: in.ID, Body: string(in.Body.Body)})
			return &created[portalComment]{Location: portalTicketPath(in.ID), ETag: etag(row.Version), Body: portalComment(row)}, err
		})
		return err
	})
	return out, err
}

type movePortalTicketInput struct {
	Path
	IfMatch
}

// movePortalTicket moves a ticket to status, as far as the database lets tenants;
// one that is there already stays as it is.
func (a *API) movePortalTicket(status string) handler[movePortalTicketInput, shown[portalStory]] {
	return func(ctx context.Context, in *movePortalTicketInput) (*shown[portalStory], error) {
		var story query.PortalTicketStory
		err := a.db.AsTenant(ctx, db.ReadWrite, func(tx *db.Tx) error {
			current, err := query.New().PortalTicketForUpdate(ctx, tx, in.ID)
			if err != nil {
				return forbidMissing(err)
			}
			if err := in.check(current.Version); err != nil {
				return err
			}
			move := status
			if current.Status == status {
				move = ""
			}
			story, err = query.New().PortalTicketStory(ctx, tx, in.ID, move, maxStory)
			return err
		})
		return showPortalStory(story), err
	}
}

func showPortalStory(s query.PortalTicketStory) *shown[portalStory] {
	return &shown[portalStory]{ETag: etag(s.Ticket.Version), Body: toPortalStory(s)}
}

func toPortalStory(s query.PortalTicketStory) portalStory {
	story := portalStory{
		PortalTicket: PortalTicket(s.Ticket),
		Comments:     make([]portalComment, len(s.Comments)), Events: make([]portalEvent, len(s.Events)),
	}
	for i, c := range s.Comments {
		story.Comments[i] = portalComment(c)
	}
	for i, e := range s.Events {
		story.Events[i] = portalEvent{From: e.FromValue, To: e.ToValue, Actor: e.ActorKind, At: e.CreatedAt}
	}
	return story
}
