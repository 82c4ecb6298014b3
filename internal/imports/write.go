package imports

import (
	"context"
	"encoding/hex"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"

	"rowhouse/internal/query"
)

// What another transaction has made meanwhile, an insert leaves alone; looking again
// finds it. What the insert made is known by what it was made of.

func (c *chunk) makeProperties(ctx context.Context) error {
	missing := c.going(func(r *row) bool { return r.fields["propertyName"] != "" && r.propertyID == nil && c.makesUnits() })
	if len(missing) == 0 {
		return nil
	}
	names := make([]string, len(missing))
	for i, r := range missing {
		names[i] = r.fields["propertyName"]
	}
	made, err := c.q.ImportPropertiesInsert(ctx, c.tx, names)
	if err != nil {
		return err
	}
	makers := map[string]*row{}
	for _, r := range slices.Backward(missing) {
		makers[r.fields["propertyName"]] = r
	}
	for _, p := range made {
		makers[p.Name].makes("properties", p.ID, p.Version)
	}
	return c.lookUpProperties(ctx, missing)
}

// makes notes that a row has made something.
func (r *row) makes(table string, id uuid.UUID, version int32) {
	r.changes = append(r.changes, change{Table: table, ID: id, Version: version})
}

// made reports whether the row has made its row of a table.
func (r *row) made(table string) bool {
	return slices.ContainsFunc(r.changes, func(c change) bool { return c.Table == table && c.Before == nil })
}

func (c *chunk) makeUnits(ctx context.Context) error {
	missing := c.going(func(r *row) bool { return r.fields["unit"] != "" && r.unit == nil })
	makers := distinct(missing, func(r *row) string { return r.property() + "\t" + strings.ToLower(r.fields["unit"]) })
	if len(makers) == 0 {
		return nil
	}
	items := make([]map[string]any, len(makers))
	by := map[string]*row{}
	for i, r := range makers {
		items[i] = fresh(unitColumns, r.fields)
		items[i]["name"], items[i]["property_id"] = r.fields["unit"], r.propertyID
		by[r.property()+"\t"+r.fields["unit"]] = r
	}
	made, err := c.q.ImportUnitsInsert(ctx, c.tx, encode(items))
	if err != nil {
		return err
	}
	for _, u := range made {
		r := by[text(u.PropertyID)+"\t"+u.Name]
		r.unit = &entity{id: u.ID}
		r.makes("units", u.ID, u.Version)
	}
	return c.lookUpUnits(ctx, c.going(func(r *row) bool { return r.fields["unit"] != "" && r.unit == nil }))
}

func (r *row) property() string { return text(r.propertyID) }

func text(id *uuid.UUID) string {
	if id == nil {
		return ""
	}
	return id.String()
}

func (c *chunk) makeTenants(ctx context.Context) error {
	want := func(r *row) bool {
		return Kind(c.batch.Kind) != Units && r.fields["lastName"] != "" && r.tenant == nil
	}
	makers := distinct(c.going(want), func(r *row) string {
		if r.fields["email"] != "" {
			return r.fields["email"]
		}
		return "\t" + r.sameAs
	})
	if len(makers) == 0 {
		return nil
	}
	items := make([]map[string]any, len(makers))
	by := map[string]*row{}
	var nameless []*row // without an address
	for i, r := range makers {
		items[i] = fresh(tenantColumns, r.fields)
		if email := r.fields["email"]; email != "" {
			items[i]["email"] = email
			by[email] = r
		} else {
			nameless = append(nameless, r)
		}
		if r.unit != nil && r.lives() {
			items[i]["unit_id"] = r.unit.id
		}
	}
	made, err := c.q.ImportTenantsInsert(ctx, c.tx, encode(items))
	if err != nil {
		return err
	}
	versions := map[uuid.UUID]int32{}
	for _, t := range made {
		if t.Email == nil {
			versions[t.ID] = t.Version
			continue
		}
		r := by[*t.Email]
		r.tenant = &entity{id: t.ID}
		r.makes("tenants", t.ID, t.Version)
	}
	if err := c.lookUpTenants(ctx, c.going(want)); err != nil {
		return err
	}
	for _, r := range nameless {
		if version, ok := versions[r.tenant.id]; ok {
			r.makes("tenants", r.tenant.id, version)
		}
	}
	return nil
}

// lives reports whether who moves in has not moved out again.
func (r *row) lives() bool { return r.fields["endDate"] == "" || r.fields["endDate"] >= today() }

// findTenancies finds who lives already where the file says; the others move in.
func (c *chunk) findTenancies(ctx context.Context) error {
	rows := c.going(func(r *row) bool {
		return r.unit != nil && r.tenant != nil && (c.batch.OnExisting != Skip || r.made("tenants"))
	})
	if len(rows) == 0 {
		return nil
	}
	items := make([]map[string]any, len(rows))
	for i, r := range rows {
		items[i] = r.tenancy()
		items[i]["place"] = i
		r.movesIn = r.fields["startDate"] != "" || !r.livesThere()
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

// livesThere reports whether the books have the tenant in that unit: a row that names no
// day tells nothing new then.
func (r *row) livesThere() bool {
	return !r.made("tenants") && r.tenant.content["unit_id"] == r.unit.id.String()
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

func (c *chunk) updateUnits(ctx context.Context) error {
	if Kind(c.batch.Kind) == Tenants {
		return nil
	}
	return c.update(updates{
		table: "units",
		of:    func(r *row) *entity { return r.unit },
		item: func(r *row) (map[string]any, bool) {
			return merged(r.unit, unitColumns, r.fields, c.batch.OnExisting)
		},
		earlier: func(ids []uuid.UUID) ([]*uuid.UUID, error) {
			return c.q.ImportUnitsBefore(ctx, c.tx, query.ImportUnitsBeforeParams{BatchID: c.batch.ID, N: c.rows[0].n, Ids: ids})
		},
		write: func(items []byte) (map[uuid.UUID]int32, error) {
			return versions(c.q.ImportUnitsUpdate(ctx, c.tx, items))
		},
	})
}

// updateTenants also moves those who move in.
func (c *chunk) updateTenants(ctx context.Context) error {
	return c.update(updates{
		table: "tenants",
		of:    func(r *row) *entity { return r.tenant },
		item: func(r *row) (map[string]any, bool) {
			item, changed := merged(r.tenant, tenantColumns, r.fields, c.batch.OnExisting)
			home := r.tenant.content["unit_id"]
			if r.movesIn && r.lives() && (home == nil || c.batch.OnExisting == Update && home != r.unit.id.String()) {
				item["unit_id"], changed = r.unit.id, true
			}
			return item, changed
		},
		earlier: func(ids []uuid.UUID) ([]*uuid.UUID, error) {
			return c.q.ImportTenantsBefore(ctx, c.tx, query.ImportTenantsBeforeParams{BatchID: c.batch.ID, N: c.rows[0].n, Ids: ids})
		},
		write: func(items []byte) (map[uuid.UUID]int32, error) {
			return versions(c.q.ImportTenantsUpdate(ctx, c.tx, items))
		},
	})
}

// updates is how rows change what is there.
type updates struct {
	table   string
	of      func(*row) *entity
	item    func(*row) (item map[string]any, changed bool)
	earlier func(ids []uuid.UUID) ([]*uuid.UUID, error) // those that earlier rows of the file were about
	write   func(items []byte) (map[uuid.UUID]int32, error)
}

// update changes what the rows are about, and notes what was there before. If several
// rows of a file are about the same, what the first says counts.
func (c *chunk) update(u updates) error {
	type wish struct {
		row  *row
		item map[string]any
	}
	wishes := map[uuid.UUID]wish{}
	var ids []uuid.UUID
	seen := map[uuid.UUID]bool{}
	for _, r := range c.going(func(r *row) bool { return u.of(r) != nil }) {
		id := u.of(r).id
		if seen[id] || r.made(u.table) {
			seen[id] = true
			continue
		}
		seen[id] = true
		if item, changed := u.item(r); changed {
			wishes[id] = wish{r, item}
			ids = append(ids, id)
		}
	}
	if ids == nil {
		return nil
	}
	earlier, err := u.earlier(ids)
	if err != nil {
		return err
	}
	for _, id := range earlier {
		delete(wishes, *id)
	}
	var items []map[string]any
	for _, id := range ids {
		if w, ok := wishes[id]; ok {
			items = append(items, w.item)
		}
	}
	if items == nil {
		return nil
	}
	now, err := u.write(encode(items))
	for id, w := range wishes {
		before := map[string]any{"id": id}
		maps.Copy(before, u.of(w.row).content)
		w.row.changes = append(w.row.changes, change{Table: u.table, ID: id, Version: now[id], Before: before})
	}
	return err
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
	if err := c.warnOfOthers(ctx, rows, items); err != nil {
		return err
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

// warnOfOthers says of who moves in that somebody else lives there.
func (c *chunk) warnOfOthers(ctx context.Context, rows []*row, tenancies []map[string]any) error {
	for i, item := range tenancies {
		item["place"] = i
	}
	places, err := c.q.ImportTenanciesOverlap(ctx, c.tx, query.ImportTenanciesOverlapParams{Sent: encode(tenancies), Before: c.batch.CreatedAt})
	for _, place := range places {
		rows[place].warn(CodeOverlap, "Somebody else lives in this unit then.")
	}
	return err
}

// invite opens invites for the tenants that the rows are about, if the landlord asks for
// that, but not for who has a login or was ever invited: sending a file again sends no
// mail again.
func (c *chunk) invite(ctx context.Context) error {
	if !c.batch.SendInvites {
		return nil
	}
	rows := distinct(c.going(func(r *row) bool {
		return r.tenant != nil && (c.batch.OnExisting != Skip || r.made("tenants"))
	}), func(r *row) string { return r.tenant.id.String() })
	if len(rows) == 0 {
		return nil
	}
	items := make([]map[string]any, len(rows))
	tenants := make([]uuid.UUID, len(rows))
	by := map[uuid.UUID]*row{}
	for i, r := range rows {
		tenants[i], by[r.tenant.id] = r.tenant.id, r
		mail := c.keys.Mint(c.batch.OwnerUserID)
		items[i] = map[string]any{
			"tenant_id": r.tenant.id, "mail_id": mail.MailID, "mail_key": mail.Key, "token_hash": hex.EncodeToString(mail.Hash),
		}
	}
	pending, err := c.q.ImportInvitesOpen(ctx, c.tx, tenants)
	if err != nil {
		return err
	}
	for _, id := range pending {
		by[id].warn(CodePending, "An invite of theirs is open already, and no other is sent.")
	}
	opened, err := c.q.ImportInvites(ctx, c.tx, encode(items))
	for _, i := range opened {
		by[i.TenantID].inviteID = &i.ID
	}
	return err
}
