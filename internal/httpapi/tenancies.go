package httpapi

import (
	"context"
	"time"

	"github.com/google/uuid"

	"rowhouse/internal/db"
	"rowhouse/internal/errs"
	"rowhouse/internal/query"
)

// TenancyData is what a landlord says of a tenancy.
type TenancyData struct {
	UnitID        uuid.UUID `json:"unitId" format:"uuid" doc:"The unit lived in; never changes"`
	TenantID      uuid.UUID `json:"tenantId" format:"uuid" doc:"Who lives there; never changes"`
	StartDate     date      `json:"startDate" example:"2026-01-01" doc:"The first day"`
	EndDate       *date     `json:"endDate,omitempty" nullable:"true" example:"2026-12-31" doc:"The last day; without one it goes on"`
	IsPrimary     *bool     `json:"isPrimary,omitempty" nullable:"true" default:"true" example:"true" doc:"Whether this is the tenant to turn to, of several who share a unit"`
	NoticeGivenOn *date     `json:"noticeGivenOn,omitempty" nullable:"true" example:"2026-10-01" doc:"The day on which notice was given, if it was"`
	MoveOutReason *text     `json:"moveOutReason,omitempty" nullable:"true" maxLength:"500" example:"Bought a house"`
	Cancelled     bool      `json:"cancelled,omitempty" doc:"Cancelled tenancies never came to be: they are kept and count for nothing"`
}

// tenancy is a tenancy as the API shows it.
type tenancy struct {
	ID uuid.UUID `json:"id" format:"uuid"`
	TenancyData
	Status      string     `json:"status" enum:"UPCOMING,ACTIVE,NOTICE_GIVEN,ENDED,CANCELLED" doc:"Follows from the dates and today"`
	CancelledAt *time.Time `json:"cancelledAt,omitempty" doc:"Since when it is cancelled"`
	Warnings    []warning  `json:"warnings,omitempty" nullable:"false" doc:"What may be a mistake, and is saved all the same"`
	Version     int32      `json:"version" example:"1" doc:"Counts changes; the ETag holds it"`
	CreatedAt   time.Time  `json:"createdAt"`
	UpdatedAt   time.Time  `json:"updatedAt"`
}

// warning is something to look at, about what was saved.
type warning struct {
	Code   string `json:"code" example:"overlapping_tenancy" doc:"What it is about, for programs; stable"`
	Detail string `json:"detail" example:"Another tenancy of this unit overlaps." doc:"What it is about, for people"`
}

// TenancyFilters say which tenancies, and in which order.
type TenancyFilters struct {
	Sort     string     `query:"sort" enum:"startDate,-startDate,endDate" default:"-startDate" doc:"Order; a minus turns it round. By endDate, those without one come last."`
	UnitID   optionalID `query:"unitId" doc:"Only tenancies of this unit."`
	TenantID optionalID `query:"tenantId" doc:"Only tenancies of this tenant."`
	Status   string     `query:"status" enum:"UPCOMING,ACTIVE,NOTICE_GIVEN,ENDED,CANCELLED" doc:"Only tenancies with this status."`
}

type listTenanciesInput struct {
	Paging
	TenancyFilters
}

type listTenanciesOutput struct {
	Body struct {
		Tenancies  []tenancy  `json:"tenancies" nullable:"false"`
		Pagination pagination `json:"pagination"`
	}
}

// listTenancies is listUnits for tenancies.
func (a *API) listTenancies(ctx context.Context, in *listTenanciesInput) (*listTenanciesOutput, error) {
	w, err := in.window(in.Sort)
	if err != nil {
		return nil, err
	}
	var rows []query.TenanciesPageRow
	var total int64
	err = reading(ctx, a.db, func(tx *db.Tx) (err error) {
		rows, total, err = query.New().TenanciesPageWithCount(ctx, tx, query.TenanciesPageParams{
			UnitID: in.UnitID.given(), TenantID: in.TenantID.given(), Status: given(in.Status),
			Sort: w.sort, AfterID: w.after, RowOffset: w.offset, RowLimit: w.rows(),
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	out := &listTenanciesOutput{}
	rows, out.Body.Pagination = paginate(w, rows, total, func(r query.TenanciesPageRow) uuid.UUID { return r.Tenancy.ID })
	out.Body.Tenancies = make([]tenancy, len(rows))
	for i, row := range rows {
		out.Body.Tenancies[i] = toTenancy(query.TenancyRow(row))
	}
	return out, nil
}

var tenanciesResource = resource[query.TenancyRow, TenancyData, tenancy]{
	path: "/tenancies", name: "Tenancy", noun: "a tenancy",
	read: query.New().Tenancy,
	lock: func(ctx context.Context, tx query.DBTX, id uuid.UUID) (query.TenancyRow, error) {
		row, err := query.New().TenancyForUpdate(ctx, tx, id)
		return query.TenancyRow{Tenancy: row}, err // what else there is to show is read after the update
	},
	create: createTenancy, update: updateTenancy,
	remove: archivedFirst(query.New().TenancyDelete, "Cancel this tenancy first. What is cancelled can be deleted."),
	show:   toTenancy, data: tenancyData,
	version: func(r query.TenancyRow) (uuid.UUID, int32) { return r.Tenancy.ID, r.Tenancy.Version },
	refused: func(err error) error {
		if name, _, ok := db.Constraint(err); ok && name == "tenancies_start_key" {
			return errs.New(errs.Conflict, "already_exists", "This tenant has a tenancy of this unit from the same day already.").
				At(errs.Field{Pointer: "/startDate", Message: "is that of another tenancy"}).Because(err)
		}
		return err
	},
}

func createTenancy(ctx context.Context, tx query.DBTX, d TenancyData) (query.TenancyRow, error) {
	if err := d.check(); err != nil {
		return query.TenancyRow{}, err
	}
	if d.Cancelled {
		return query.TenancyRow{}, invalid("/cancelled", "can't be so from the start")
	}
	id, err := query.New().TenancyCreate(ctx, tx, query.TenancyCreateParams{
		UnitID: d.UnitID, TenantID: d.TenantID, StartDate: d.StartDate.day(), EndDate: optionalDay(d.EndDate),
		IsPrimary: d.isPrimary(), NoticeGivenOn: optionalDay(d.NoticeGivenOn), MoveOutReason: (*string)(d.MoveOutReason),
	})
	if err != nil {
		return query.TenancyRow{}, err
	}
	return query.New().Tenancy(ctx, tx, id)
}

// updateTenancy refuses to change who lives where after the update, which is
// then undone: until then nobody knows who does.
func updateTenancy(ctx context.Context, tx *db.Tx, id uuid.UUID, d TenancyData) (query.TenancyRow, error) {
	if err := d.check(); err != nil {
		return query.TenancyRow{}, err
	}
	row, err := query.New().TenancyChanged(ctx, tx, query.TenancyUpdateParams{
		ID: id, StartDate: d.StartDate.day(), EndDate: optionalDay(d.EndDate), IsPrimary: d.isPrimary(),
		NoticeGivenOn: optionalDay(d.NoticeGivenOn), MoveOutReason: (*string)(d.MoveOutReason), Cancelled: d.Cancelled,
	})
	switch {
	case err != nil:
		return query.TenancyRow{}, err
	case row.Tenancy.UnitID != d.UnitID:
		return query.TenancyRow{}, invalid("/unitId", "never changes; cancel this tenancy and add another")
	case row.Tenancy.TenantID != d.TenantID:
		return query.TenancyRow{}, invalid("/tenantId", "never changes; cancel this tenancy and add another")
	}
	return row, nil
}

// isPrimary is a pointer's because huma can't tell false from what was not sent.
func (d TenancyData) isPrimary() bool { return d.IsPrimary == nil || *d.IsPrimary }

func (d TenancyData) check() error {
	if d.EndDate != nil && *d.EndDate < d.StartDate {
		return invalid("/endDate", "is before the start")
	}
	return nil
}

func toTenancy(r query.TenancyRow) tenancy {
	y := r.Tenancy
	shown := tenancy{
		ID: y.ID, TenancyData: tenancyData(r), Status: r.Status, CancelledAt: y.CancelledAt,
		Version: y.Version, CreatedAt: y.CreatedAt, UpdatedAt: y.UpdatedAt,
	}
	if r.Overlaps {
		shown.Warnings = []warning{{
			Code:   "overlapping_tenancy",
			Detail: "Another tenancy of this unit has some of the same days. If these tenants do not share it, correct the dates of one.",
		}}
	}
	return shown
}

func tenancyData(r query.TenancyRow) TenancyData {
	y := r.Tenancy
	return TenancyData{
		UnitID: y.UnitID, TenantID: y.TenantID, StartDate: dateOf(y.StartDate), EndDate: optionalDate(y.EndDate),
		IsPrimary: &y.IsPrimary, NoticeGivenOn: optionalDate(y.NoticeGivenOn), MoveOutReason: (*text)(y.MoveOutReason),
		Cancelled: y.CancelledAt != nil,
	}
}
