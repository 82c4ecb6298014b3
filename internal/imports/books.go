package imports

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"

	"github.com/google/uuid"

	"rowhouse/internal/query"
)

// entity is a unit, a tenant or the like as it stands in the books.
type entity struct {
	id       uuid.UUID
	archived bool
	let      bool           // the unit, today: one that is VACANT shows as OCCUPIED
	content  map[string]any // by column
}

// found is what the queries that look for units and tenants return.
type found struct {
	Place    int32
	ID       uuid.UUID
	Version  int32
	Archived bool
	Content  []byte
}

// entity is f without the columns that no import writes.
func (f found) entity() (*entity, error) {
	e := &entity{id: f.ID, archived: f.Archived}
	err := json.Unmarshal(f.Content, &e.content)
	e.let = e.content["let"] == true
	maps.DeleteFunc(e.content, func(name string, _ any) bool { return !columns[name] })
	return e, err
}

// change is what a run did to one row of the books, as import_rows keeps it for undoing.
type change struct {
	Table   string         `json:"table"`
	ID      uuid.UUID      `json:"id"`
	Version int32          `json:"version"`          // that the change left
	Before  map[string]any `json:"before,omitempty"` // by column; absent if the run made the row
}

// column is where a field of the file is kept.
type column struct {
	field, name string
	number      bool
}

var unitColumns = []column{
	{field: "kind", name: "kind"},
	{field: "status", name: "status"},
	{field: "address1", name: "address1"},
	{field: "address2", name: "address2"},
	{field: "city", name: "city"},
	{field: "state", name: "state"},
	{field: "postalCode", name: "postal_code"},
	{field: "country", name: "country"},
	{field: "bedrooms", name: "bedrooms", number: true},
	{field: "bathrooms", name: "bathrooms", number: true},
	{field: "areaM2", name: "area_m2", number: true},
	{field: "unitRef", name: "external_ref"},
}

// tenantColumns are without the address: by that they are found.
var tenantColumns = []column{
	{field: "firstName", name: "first_name"},
	{field: "lastName", name: "last_name"},
	{field: "phone", name: "phone"},
	{field: "notes", name: "notes"},
	{field: "tenantRef", name: "external_ref"},
}

// columns are all that an import may have to put back.
var columns = func() map[string]bool {
	all := map[string]bool{"email": true, "unit_id": true}
	for _, c := range slices.Concat(unitColumns, tenantColumns) {
		all[c.name] = true
	}
	return all
}()

// kept is a field's value as JSON that the column's type reads.
func (c column) kept(value string) any {
	if c.number {
		return json.Number(value)
	}
	return value
}

// same compares a value of the file with one of the books.
func (c column) same(value string, kept any) bool {
	if number, ok := kept.(float64); ok {
		n, err := strconv.ParseFloat(value, 64)
		return err == nil && n == number
	}
	return value == kept
}

// shows reports whether a file that says so of a unit says what it was shown: who sends
// that back has said nothing of their own, and once the tenancy ends it is VACANT.
func (e *entity) shows(status string, kept any) bool {
	return e.let && status == "OCCUPIED" && kept == "VACANT"
}

// What an import does to what is there already.
const (
	Skip   = "skip"   // nothing
	Fill   = "fill"   // write where the books say nothing
	Update = "update" // write what the file says; where it says nothing, the books stay
)

// merged is what a row of the books becomes by what the file says of it, and whether
// that is a change.
func merged(e *entity, of []column, fields map[string]string, onExisting string) (map[string]any, bool) {
	item := map[string]any{"id": e.id}
	maps.Copy(item, e.content)
	changed := false
	for _, c := range of {
		value := fields[c.field]
		kept := e.content[c.name]
		if value == "" || c.same(value, kept) || c.name == "status" && e.shows(value, kept) || onExisting == Skip || onExisting == Fill && kept != nil {
			continue
		}
		item[c.name] = c.kept(value)
		changed = true
	}
	return item, changed
}

// fresh is a row of the books as the file has it.
func fresh(of []column, fields map[string]string) map[string]any {
	item := map[string]any{}
	for _, c := range of {
		if value := fields[c.field]; value != "" {
			item[c.name] = c.kept(value)
		}
	}
	return item
}

// written is what the queries that update return.
type written struct {
	ID      uuid.UUID
	Version int32
}

// versions maps what was written to the version that it has now.
func versions[R query.ImportUnitsUpdateRow | query.ImportTenantsUpdateRow | query.ImportTenanciesUpdateRow](rows []R, err error) (map[uuid.UUID]int32, error) {
	all := map[uuid.UUID]int32{}
	for _, row := range rows {
		w := written(row)
		all[w.ID] = w.Version
	}
	return all, err
}

func encode(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // maps of text, numbers and ids
	}
	return text
}
