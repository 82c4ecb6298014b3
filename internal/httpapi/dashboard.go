package httpapi

import (
	"context"
	"time"

	"github.com/google/uuid"

	"rowhouse/internal/db"
	"rowhouse/internal/query"
)

// dashboard is what a landlord sees first: how much there is, and what waits to be
// done.
type dashboard struct {
	Units           unitNumbers     `json:"units"`
	Tenants         tenantNumbers   `json:"tenants"`
	Tickets         ticketNumbers   `json:"tickets"`
	NewTickets      []ticketBrief   `json:"newTickets" nullable:"false" doc:"The newest that nobody has looked at, at most five"`
	WaitingTickets  []ticketBrief   `json:"waitingTickets" nullable:"false" doc:"On hold, the oldest first, at most five"`
	Invites         []inviteBrief   `json:"invites" nullable:"false" doc:"Open invites that have expired or will within three days, at most five"`
	EndingTenancies []tenancyBrief  `json:"endingTenancies" nullable:"false" doc:"Tenancies that end within ninety days, the first to end first, at most five"`
	Activity        []AuditHeadline `json:"activity" nullable:"false" doc:"The latest changes, at most five"`
}

type unitNumbers struct {
	Total     int64 `json:"total" example:"12" doc:"All that are not archived"`
	Vacant    int64 `json:"vacant" example:"2"`
	Occupied  int64 `json:"occupied" example:"8"`
	Notice    int64 `json:"notice" example:"1"`
	OffMarket int64 `json:"offMarket" example:"1"`
}

type tenantNumbers struct {
	Total      int64 `json:"total" example:"14" doc:"All that are not archived"`
	Claimed    int64 `json:"claimed" example:"9" doc:"They use the portal"`
	Invited    int64 `json:"invited" example:"3" doc:"They hold an invite that may have expired"`
	NotInvited int64 `json:"notInvited" example:"2"`
}

type ticketNumbers struct {
	Open      int64 `json:"open" example:"7" doc:"Neither resolved, closed, cancelled nor archived"`
	Emergency int64 `json:"emergency" example:"1" doc:"Of the open ones"`
	High      int64 `json:"high" example:"2" doc:"Of the open ones"`
	Normal    int64 `json:"normal" example:"3" doc:"Of the open ones"`
	Low       int64 `json:"low" example:"1" doc:"Of the open ones"`
	Overdue   int64 `json:"overdue" example:"1" doc:"Open ones that should be done by now"`
}

type ticketBrief struct {
	ID        uuid.UUID  `json:"id" format:"uuid"`
	Number    int32      `json:"number" example:"17"`
	Title     string     `json:"title" example:"The kitchen tap drips"`
	Priority  string     `json:"priority" enum:"LOW,NORMAL,HIGH,EMERGENCY"`
	Status    string     `json:"status" enum:"NEW,OPEN,IN_PROGRESS,ON_HOLD,RESOLVED,CLOSED,CANCELLED"`
	UnitID    uuid.UUID  `json:"unitId" format:"uuid"`
	UnitName  string     `json:"unitName" example:"Flat 3"`
	DueAt     *time.Time `json:"dueAt,omitempty"`
	CreatedAt time.Time  `json:"createdAt"`
}

type inviteBrief struct {
	ID         uuid.UUID `json:"id" format:"uuid"`
	TenantID   uuid.UUID `json:"tenantId" format:"uuid"`
	TenantName string    `json:"tenantName" example:"Ada Byron"`
	Email      string    `json:"email" example:"ada@example.com"`
	ExpiresAt  time.Time `json:"expiresAt"`
	Expired    bool      `json:"expired"`
}

type tenancyBrief struct {
	ID         uuid.UUID `json:"id" format:"uuid"`
	TenantID   uuid.UUID `json:"tenantId" format:"uuid"`
	TenantName string    `json:"tenantName" example:"Ada Byron"`
	UnitID     uuid.UUID `json:"unitId" format:"uuid"`
	UnitName   string    `json:"unitName" example:"Flat 3"`
	EndDate    date      `json:"endDate" example:"2027-01-31" doc:"The last day"`
}

type dashboardOutput struct{ Body dashboard }

// getDashboard asks for everything in one round trip besides COMMIT.
func (a *API) getDashboard(ctx context.Context, _ *struct{}) (*dashboardOutput, error) {
	var d query.Dashboard
	err := a.db.AsLandlord(ctx, db.ReadOnly, func(tx *db.Tx) (err error) {
		d, err = query.New().Dashboard(ctx, tx)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &dashboardOutput{dashboard{
		Units:   unitNumbers(d.Units),
		Tenants: tenantNumbers(d.Tenants),
		Tickets: ticketNumbers(d.Tickets),
		NewTickets: each(d.NewTickets, func(t query.DashboardNewTicketsRow) ticketBrief {
			return ticketBrief(t)
		}),
		WaitingTickets: each(d.WaitingTickets, func(t query.DashboardWaitingTicketsRow) ticketBrief {
			return ticketBrief(t)
		}),
		Invites: each(d.Invites, func(i query.DashboardInvitesRow) inviteBrief { return inviteBrief(i) }),
		EndingTenancies: each(d.EndingTenancies, func(y query.DashboardEndingTenanciesRow) tenancyBrief {
			return tenancyBrief{
				ID: y.ID, TenantID: y.TenantID, TenantName: y.TenantName, UnitID: y.UnitID, UnitName: y.UnitName,
				EndDate: dateOf(*y.EndDate), // the query wants one
			}
		}),
		Activity: each(d.Activity, func(e query.DashboardActivityRow) AuditHeadline {
			return AuditHeadline{ID: e.ID, At: e.At, ActorKind: e.ActorKind, Action: e.Action, Table: e.TableName, RowID: e.RowID}
		}),
	}}, nil
}

// each returns what to makes of every row.
func each[R, V any](rows []R, to func(R) V) []V {
	shown := make([]V, len(rows))
	for i, row := range rows {
		shown[i] = to(row)
	}
	return shown
}
