package imports

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"rowhouse/internal/db"
	"rowhouse/internal/invitetoken"
	"rowhouse/internal/query"
)

// The actions of rows: what came of one, or would.
const (
	Create    = "CREATE"
	Change    = "UPDATE"
	Unchanged = "UNCHANGED"
	Skipped   = "SKIP"
	Failed    = "ERROR"
)

// row is a row of the file on its way into the books.
type row struct {
	n, line int32
	fields  map[string]string
	sameAs  string

	propertyID   *uuid.UUID
	unit, tenant *entity
	movesIn      bool   // the tenant into the unit
	action       string // empty as long as the row goes on
	problem      *Problem
	changes      []change

	unitID, tenantID *uuid.UUID // what it was about, in the end
	inviteID         *uuid.UUID // that was opened for it
}

func (r *row) fail(code, field, message string) {
	r.action, r.problem = Failed, &Problem{code, field, message}
}

// warn says what is odd about a row that goes on all the same.
func (r *row) warn(code, message string) { r.problem = &Problem{Code: code, Message: message} }

// chunk is some rows of one file, in a transaction of their landlord's.
type chunk struct {
	tx     *db.Tx
	q      *query.Queries
	keys   invitetoken.Keyring
	batch  query.ImportBatch
	firsts map[string]int32 // the first row of the file that is about the same
	rows   []*row           // by n
}

func (im *Importer) newChunk(tx *db.Tx, batch query.ImportBatch, firsts map[string]int32, rows []query.ImportRowsToRunRow) (*chunk, error) {
	c := &chunk{tx: tx, q: query.New(), keys: im.keys, batch: batch, firsts: firsts}
	for _, stored := range rows {
		r := &row{n: stored.N, line: stored.Line}
		if stored.SameAs != nil {
			r.sameAs = *stored.SameAs
		}
		if err := json.Unmarshal(stored.Fields, &r.fields); err != nil {
			return nil, fmt.Errorf("read row %d: %w", stored.N, err)
		}
		c.rows = append(c.rows, r)
	}
	return c, nil
}

// makesUnits reports whether units that are not there yet are made.
func (c *chunk) makesUnits() bool {
	return Kind(c.batch.Kind) != Tenants || c.batch.UnknownUnits == "create"
}

// apply takes the rows into the books. First it finds what they are about, and what
// stands in their way; then it writes. It takes the same number of statements for any
// number of rows.
func (c *chunk) apply(ctx context.Context) error {
	for _, r := range c.rows {
		if first, ok := c.firsts[r.sameAs]; ok && first < r.n {
			r.action = Skipped
			r.problem = &Problem{Code: CodeDuplicate, Message: fmt.Sprintf("Row %d is about the same.", first)}
		}
	}
	for _, step := range []func(context.Context) error{
		c.findProperties, c.findUnits, c.findTenants,
		c.makeProperties, c.makeUnits, c.makeTenants,
		c.findTenancies, c.updateUnits, c.updateTenants, c.makeTenancies, c.invite,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	for _, r := range c.rows {
		r.settle(Kind(c.batch.Kind), c.batch.OnExisting)
	}
	return nil
}

// settle says what came of the row.
func (r *row) settle(kind Kind, onExisting string) {
	if r.action == "" {
		switch {
		case r.made("tenants") || kind != Tenants && r.made("units"):
			r.action = Create
		case len(r.changes) > 0:
			r.action = Change
		case onExisting == Skip:
			r.action = Skipped
			r.problem = &Problem{Code: CodeExists, Message: "This is in your books already."}
		default:
			r.action = Unchanged
		}
	}
	if r.action == Failed || r.problem != nil && r.problem.Code == CodeDuplicate {
		return
	}
	if r.unit != nil {
		r.unitID = &r.unit.id
	}
	if r.tenant != nil {
		r.tenantID = &r.tenant.id
	}
}

// record is what ImportRowsResult keeps of a row.
func (r *row) record() map[string]any {
	record := map[string]any{"n": r.n, "action": r.action, "unit_id": r.unitID, "tenant_id": r.tenantID, "invite_id": r.inviteID}
	if p := r.problem; p != nil {
		record["code"], record["message"] = p.Code, p.Message
		if p.Field != "" {
			record["field"] = p.Field
		}
	}
	if r.changes != nil {
		record["changes"] = r.changes
	}
	return record
}

// going returns the rows that go on and that want holds for.
func (c *chunk) going(want func(*row) bool) []*row {
	var wanted []*row
	for _, r := range c.rows {
		if r.action == "" && want(r) {
			wanted = append(wanted, r)
		}
	}
	return wanted
}

func (c *chunk) findProperties(ctx context.Context) error {
	return c.lookUpProperties(ctx, c.going(func(r *row) bool { return r.fields["propertyName"] != "" }))
}

func (c *chunk) lookUpProperties(ctx context.Context, rows []*row) error {
	if len(rows) == 0 {
		return nil
	}
	names := make([]string, len(rows))
	for i, r := range rows {
		names[i] = r.fields["propertyName"]
	}
	all, err := c.q.ImportPropertiesFind(ctx, c.tx, names)
	for _, p := range all {
		r := rows[p.Place-1]
		r.propertyID = &p.ID
		if p.Archived {
			r.fail(CodeArchived, "propertyName", "This property is archived. Take it out of the archive first.")
		}
	}
	return err
}

// findUnits finds the units of the rows, by id or by name.
func (c *chunk) findUnits(ctx context.Context) error {
	byID := c.going(func(r *row) bool { return r.fields["unitId"] != "" })
	byName := c.going(func(r *row) bool { return r.fields["unitId"] == "" && r.fields["unit"] != "" })
	if len(byID) > 0 {
		items := make([]map[string]any, len(byID))
		for i, r := range byID {
			items[i] = map[string]any{"place": i, "id": r.fields["unitId"]}
		}
		all, err := c.q.ImportUnitsFind(ctx, c.tx, encode(items))
		if err != nil {
			return err
		}
		if err := setUnits(byID, all); err != nil {
			return err
		}
	}
	if err := c.lookUpUnits(ctx, byName); err != nil {
		return err
	}
	for _, r := range byID {
		if r.unit == nil {
			r.fail(CodeUnknownUnit, "unitId", "There is no such unit.")
		}
	}
	for _, r := range byName {
		if r.unit == nil && r.action == "" && !c.makesUnits() {
			r.fail(CodeUnknownUnit, "unit", "There is no such unit.")
		}
	}
	for _, r := range c.going(func(r *row) bool { return r.unit != nil && r.unit.archived }) {
		r.fail(CodeArchived, "unit", "This unit is archived. Take it out of the archive first.")
	}
	return nil
}

// lookUpUnits finds units by name: in the row's property, or, where a file of tenants
// names none, in any.
func (c *chunk) lookUpUnits(ctx context.Context, rows []*row) error {
	var items []map[string]any
	for i, r := range rows {
		named := r.fields["propertyName"] != ""
		if named && r.propertyID == nil {
			continue // there is no such property, and so no unit in it
		}
		items = append(items, map[string]any{
			"place": i, "name": r.fields["unit"], "property_id": r.propertyID,
			"anywhere": !named && Kind(c.batch.Kind) == Tenants,
		})
	}
	if items == nil {
		return nil
	}
	all, err := c.q.ImportUnitsFindByName(ctx, c.tx, encode(items))
	if err != nil {
		return err
	}
	return setUnits(rows, all)
}

func setUnits[R query.ImportUnitsFindRow | query.ImportUnitsFindByNameRow](rows []*row, all []R) error {
	for _, u := range all {
		unit, err := found(u).entity()
		if err != nil {
			return err
		}
		r := rows[found(u).Place]
		if r.unit != nil && r.unit.id != unit.id {
			r.fail(CodeAmbiguousUnit, "unit", "Several units have this name. Name the property too.")
		}
		r.unit = unit
	}
	return nil
}

// findTenants finds tenants by their address, or, if the file has none, by their name.
// Nobody lives in a unit that is not there yet.
func (c *chunk) findTenants(ctx context.Context) error {
	return c.lookUpTenants(ctx, c.going(func(r *row) bool {
		return Kind(c.batch.Kind) != Units && r.fields["lastName"] != "" &&
			(r.fields["email"] != "" || r.unit != nil || r.fields["unit"] == "")
	}))
}

func (c *chunk) lookUpTenants(ctx context.Context, rows []*row) error {
	var byEmail, byName []map[string]any
	for i, r := range rows {
		if r.fields["email"] != "" {
			byEmail = append(byEmail, map[string]any{"place": i, "email": r.fields["email"]})
			continue
		}
		item := map[string]any{"place": i, "first_name": r.fields["firstName"], "last_name": r.fields["lastName"]}
		if r.unit != nil {
			item["unit_id"] = r.unit.id
		}
		byName = append(byName, item)
	}
	if byEmail != nil {
		all, err := c.q.ImportTenantsFind(ctx, c.tx, encode(byEmail))
		if err != nil {
			return err
		}
		if err := setTenants(rows, all); err != nil {
			return err
		}
	}
	if byName != nil {
		all, err := c.q.ImportTenantsFindByName(ctx, c.tx, encode(byName))
		if err != nil {
			return err
		}
		return setTenants(rows, all)
	}
	return nil
}

func setTenants[R query.ImportTenantsFindRow | query.ImportTenantsFindByNameRow](rows []*row, all []R) error {
	for _, t := range all {
		r := rows[found(t).Place]
		if r.tenant != nil {
			continue // by name: the one who was there first
		}
		var err error
		if r.tenant, err = found(t).entity(); err != nil {
			return err
		}
		if r.tenant.archived {
			r.fail(CodeArchived, "", "This tenant is archived. Take them out of the archive first.")
		}
	}
	return nil
}

// today is the day in whose light a tenancy has ended.
func today() string { return time.Now().UTC().Format(time.DateOnly) }

// distinct leaves out rows whose key another has had.
func distinct(rows []*row, key func(*row) string) []*row {
	seen := map[string]bool{}
	return slices.DeleteFunc(slices.Clone(rows), func(r *row) bool {
		again := seen[key(r)]
		seen[key(r)] = true
		return again
	})
}
