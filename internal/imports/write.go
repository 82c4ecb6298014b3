package imports

import (
	"context"
	"maps"

	"github.com/google/uuid"

	"rowhouse/internal/query"
)

// What another transaction has made meanwhile, an insert leaves alone; looking again
// finds it, with what the insert made.

func (c *chunk) makeProperties(ctx context.Context) error {
	missing := c.going(func(r *row) bool { return r.fields["propertyName"] != "" && r.propertyID == nil && c.makesUnits() })
	if len(missing) == 0 {
		return nil
	}
	names := make([]string, len(missing))
	for i, r := range missing {
		names[i] = r.fields["propertyName"]
	}
	made, err := versions(c.q.ImportPropertiesInsert(ctx, c.tx, names))
	if err != nil {
		return err
	}
	if err := c.lookUpProperties(ctx, missing); err != nil {
		return err
	}
	for _, r := range missing {
		if r.propertyID != nil {
			r.note("properties", *r.propertyID, made)
		}
	}
	return nil
}

// note says that a row made something, unless an earlier row did.
func (r *row) note(table string, id uuid.UUID, made map[uuid.UUID]int32) bool {
	version, ok := made[id]
	if ok {
		r.changes = append(r.changes, change{Table: table, ID: id, Version: version})
		delete(made, id)
	}
	return ok
}

func (c *chunk) makeUnits(ctx context.Context) error {
	missing := c.going(func(r *row) bool { return r.fields["unit"] != "" && r.unit == nil })
	if len(missing) == 0 {
		return nil
	}
	var items []map[string]any
	for _, r := range distinct(missing, func(r *row) string { return r.property() + "\t" + r.fields["unit"] }) {
		item := fresh(unitColumns, r.fields)
		item["name"], item["property_id"] = r.fields["unit"], r.propertyID
		items = append(items, item)
	}
	made, err := versions(c.q.ImportUnitsInsert(ctx, c.tx, encode(items)))
	if err != nil {
		return err
	}
	if err := c.lookUpUnits(ctx, missing); err != nil {
		return err
	}
	for _, r := range missing {
		if r.unit != nil && r.note("units", r.unit.id, made) {
			r.made = Kind(c.batch.Kind) != Tenants
		}
	}
	return nil
}

func (r *row) property() string {
	if r.propertyID == nil {
		return ""
	}
	return r.propertyID.String()
}

func (c *chunk) makeTenants(ctx context.Context) error {
	missing := c.going(func(r *row) bool {
		return Kind(c.batch.Kind) != Units && r.fields["lastName"] != "" && r.tenant == nil
	})
	if len(missing) == 0 {
		return nil
	}
	var items []map[string]any
	for _, r := range distinct(missing, func(r *row) string {
		if r.fields["email"] != "" {
			return r.fields["email"]
		}
		return r.sameAs
	}) {
		item := fresh(tenantColumns, r.fields)
		if r.fields["email"] != "" {
			item["email"] = r.fields["email"]
		}
		if r.unit != nil && r.lives() {
			item["unit_id"] = r.unit.id
		}
		items = append(items, item)
	}
	made, err := versions(c.q.ImportTenantsInsert(ctx, c.tx, encode(items)))
	if err != nil {
		return err
	}
	if err := c.lookUpTenants(ctx, missing); err != nil {
		return err
	}
	for _, r := range missing {
		if r.tenant != nil && r.note("tenants", r.tenant.id, made) {
			r.made = true
		}
	}
	return nil
}

// lives reports whether who moves in has not moved out again.
func (r *row) lives() bool { return r.fields["endDate"] == "" || r.fields["endDate"] >= today() }

// findTenancies finds who lives already where the file says; the others move in.
func (c *chunk) findTenancies(ctx context.Context) error {
	rows := c.going(func(r *row) bool {
		return r.unit != nil && r.tenant != nil && (c.batch.OnExisting != Skip || r.made)
	})
	if len(rows) == 0 {
		return nil
	}
	items := make([]map[string]any, len(rows))
	for i, r := range rows {
		items[i] = r.tenancy()
		items[i]["place"] = i
		r.movesIn = true
	}
	all, err := c.q.ImportTenanciesFind(ctx, c.tx, encode(items))
	if err != nil {
		return err
	}
	var ended []map[string]any
	ends := map[uuid.UUID]*row{}
	for _, y := range all {
		r := rows[y.Place]
		r.movesIn = false
		end := r.fields["endDate"]
		if end == "" || y.EndDate != nil && (c.batch.OnExisting == Fill || y.EndDate.Format("2006-01-02") == end) {
			continue
		}
		ended = append(ended, map[string]any{"id": y.ID, "end_date": end})
		ends[y.ID] = r
		before := map[string]any{"id": y.ID, "end_date": nil}
		if y.EndDate != nil {
			before["end_date"] = y.EndDate.Format("2006-01-02")
		}
		r.changes = append(r.changes, change{Table: "tenancies", ID: y.ID, Before: before})
	}
	if ended == nil {
		return nil
	}
	now, err := versions(c.q.ImportTenanciesUpdate(ctx, c.tx, encode(ended)))
	for id, r := range ends {
		r.changes[len(r.changes)-1].Version = now[id]
	}
	return err
}

func (r *row) tenancy() map[string]any {
	item := map[string]any{"unit_id": r.unit.id, "tenant_id": r.tenant.id}
	for field, name := range map[string]string{"startDate": "start_date", "endDate": "end_date"} {
		if r.fields[field] != "" {
			item[name] = r.fields[field]
		}
	}
	return item
}

// untouched leaves out the rows whose unit or tenant an earlier row of the file was
// about, or made: what the file says first counts.
func (c *chunk) untouched(ctx context.Context, rows []*row, of func(*row) *entity, earlier func(context.Context, []uuid.UUID) ([]*uuid.UUID, error)) ([]*row, error) {
	if len(rows) == 0 {
		return nil, nil
	}
	ids := make([]uuid.UUID, len(rows))
	for i, r := range rows {
		ids[i] = of(r).id
	}
	touched := map[uuid.UUID]bool{}
	before, err := earlier(ctx, ids)
	if err != nil {
		return nil, err
	}
	for _, id := range before {
		if id != nil {
			touched[*id] = true
		}
	}
	var free []*row
	for _, r := range rows {
		if id := of(r).id; !touched[id] {
			touched[id] = true
			free = append(free, r)
		}
	}
	return free, nil
}

func (c *chunk) earlierUnits(ctx context.Context, ids []uuid.UUID) ([]*uuid.UUID, error) {
	return c.q.ImportUnitsBefore(ctx, c.tx, query.ImportUnitsBeforeParams{BatchID: c.batch.ID, N: c.rows[0].n, Ids: ids})
}

func (c *chunk) earlierTenants(ctx context.Context, ids []uuid.UUID) ([]*uuid.UUID, error) {
	return c.q.ImportTenantsBefore(ctx, c.tx, query.ImportTenantsBeforeParams{BatchID: c.batch.ID, N: c.rows[0].n, Ids: ids})
}

func (c *chunk) updateUnits(ctx context.Context) error {
	if Kind(c.batch.Kind) == Tenants {
		return nil
	}
	rows, err := c.untouched(ctx, c.going(func(r *row) bool { return r.unit != nil }), func(r *row) *entity { return r.unit }, c.earlierUnits)
	if err != nil {
		return err
	}
	return c.update(ctx, "units", rows, func(r *row) (*entity, map[string]any, bool) {
		item, changed := merged(r.unit, unitColumns, r.fields, c.batch.OnExisting)
		return r.unit, item, changed
	}, func(ctx context.Context, items []byte) (map[uuid.UUID]int32, error) {
		return versions(c.q.ImportUnitsUpdate(ctx, c.tx, items))
	})
}

// updateTenants also moves those who move in.
func (c *chunk) updateTenants(ctx context.Context) error {
	rows, err := c.untouched(ctx, c.going(func(r *row) bool { return r.tenant != nil }), func(r *row) *entity { return r.tenant }, c.earlierTenants)
	if err != nil {
		return err
	}
	return c.update(ctx, "tenants", rows, func(r *row) (*entity, map[string]any, bool) {
		item, changed := merged(r.tenant, tenantColumns, r.fields, c.batch.OnExisting)
		if r.movesIn && r.lives() {
			home := r.tenant.content["unit_id"]
			if home == nil || c.batch.OnExisting == Update && home != r.unit.id.String() {
				item["unit_id"], changed = r.unit.id, true
			}
		}
		return r.tenant, item, changed
	}, func(ctx context.Context, items []byte) (map[uuid.UUID]int32, error) {
		return versions(c.q.ImportTenantsUpdate(ctx, c.tx, items))
	})
}

// update writes what is to change of rows, and notes what was there before.
func (c *chunk) update(ctx context.Context, table string, rows []*row, item func(*row) (*entity, map[string]any, bool), write func(context.Context, []byte) (map[uuid.UUID]int32, error)) error {
	var items []map[string]any
	for _, r := range rows {
		e, i, changed := item(r)
		if !changed || r.makes(table) {
			continue
		}
		items = append(items, i)
		before := map[string]any{"id": e.id}
		maps.Copy(before, e.content)
		r.changes = append(r.changes, change{Table: table, ID: e.id, Before: before})
	}
	if items == nil {
		return nil
	}
	now, err := write(ctx, encode(items))
	for _, r := range rows {
		for i, ch := range r.changes {
			if version, ok := now[ch.ID]; ok && ch.Table == table && ch.Before != nil {
				r.changes[i].Version = version
			}
		}
	}
	return err
}

// makes reports whether the row has made its row of a table.
func (r *row) makes(table string) bool {
	for _, ch := range r.changes {
		if ch.Table == table && ch.Before == nil {
			return true
		}
	}
	return false
}

func (c *chunk) makeTenancies(ctx context.Context) error {
	rows := c.going(func(r *row) bool { return r.movesIn })
	if len(rows) == 0 {
		return nil
	}
	items := make([]map[string]any, len(rows))
	for i, r := range rows {
		items[i] = r.tenancy()
	}
	made, err := c.q.ImportTenanciesInsert(ctx, c.tx, encode(items))
	if err != nil {
		return err
	}
	type place struct{ unit, tenant uuid.UUID }
	by := map[place]*row{}
	for _, r := range rows {
		by[place{r.unit.id, r.tenant.id}] = r
	}
	for _, y := range made {
		r := by[place{y.UnitID, y.TenantID}]
		r.changes = append(r.changes, change{Table: "tenancies", ID: y.ID, Version: y.Version})
	}
	return nil
}
