// Package isolation proves that one landlord cannot reach another's rows.
//
// The tests read the catalog and the served OpenAPI document, attack all that
// they find there, and compare it with this file: a table, column, function,
// role or route of which nothing stands here fails them. Whoever adds one says
// here what each caller may do with it.
package isolation

// grants is what a role may do with a table, within its own rows. Columns are
// separated by spaces; a right that is not named is not held.
type grants struct {
	reads   bool
	inserts string
	updates string
	deletes bool
}

// table is a table and who may do what with it.
type table struct {
	// owner is the column that says whose a row is; empty for tables that are no
	// landlord's.
	owner string
	// fixed are the columns that no caller writes.
	fixed  string
	grants map[string]grants
}

// tables are all tables of the schemas app and app_private.
var tables = map[string]table{
	"app.users": {owner: "id", fixed: "id version created_at updated_at", grants: map[string]grants{
		"rowhouse_user": {
			reads: true, inserts: "email",
			updates: "email full_name company_name phone locale time_zone currency",
		},
	}},
	"app.properties": {owner: "owner_user_id", fixed: placeColumns, grants: map[string]grants{
		"rowhouse_landlord": {reads: true, inserts: propertyColumns, updates: propertyColumns},
		"rowhouse_remover":  {reads: true, deletes: true},
	}},
	"app.units": {owner: "owner_user_id", fixed: placeColumns, grants: map[string]grants{
		"rowhouse_landlord": {reads: true, inserts: unitColumns, updates: unitColumns},
		"rowhouse_remover":  {reads: true, deletes: true},
	}},
	"app.idempotency_keys": {owner: "owner_user_id", fixed: "owner_user_id created_at", grants: map[string]grants{
		"rowhouse_landlord": {reads: true, inserts: "key operation request_hash", updates: "answer"},
		"rowhouse_remover":  {reads: true, deletes: true},
	}},
	"app_private.seal_keys":        {fixed: "id inner_pad outer_pad binds_pid created_at"},
	"app_private.goose_db_version": {fixed: "id version_id is_applied tstamp"},
}

const (
	ownedColumns    = "owner_user_id id version created_by created_at updated_at"
	placeColumns    = ownedColumns + " archived" // archived follows from archived_at
	propertyColumns = "name kind address1 address2 city state postal_code country latitude longitude external_ref archived_at"
	unitColumns     = "property_id name kind status address1 address2 city state postal_code country bedrooms bathrooms area_m2 external_ref archived_at"
)

// sequences are all sequences of the two schemas. None counts landlords' rows: a
// serial id would tell how many there are.
var sequences = []string{"app_private.goose_db_version_id_seq"}

// function is a function and who may call it.
type function struct {
	owner      string
	definer    bool   // runs as its owner
	volatility string // i, s or v
	parallel   string // r or u; s would be wrong for what asks for the backend's pid
	callers    []string
}

// functions are all functions of the schemas app and app_private.
var functions = map[string]function{
	"app.current_user_id()": {
		owner: "rowhouse_owner", definer: true, volatility: "s", parallel: "r",
		callers: []string{"rowhouse_landlord", "rowhouse_tenant", "rowhouse_user", "rowhouse_remover"},
	},
	"app.guard_owned_row()": {owner: "rowhouse_owner", volatility: "v", parallel: "u"},
	"app.guard_user()":      {owner: "rowhouse_owner", volatility: "v", parallel: "u"},
	"app.delete_unit(uuid)": {
		owner: "rowhouse_remover", definer: true, volatility: "v", parallel: "u",
		callers: []string{"rowhouse_landlord"},
	},
	"app.delete_property(uuid)": {
		owner: "rowhouse_remover", definer: true, volatility: "v", parallel: "u",
		callers: []string{"rowhouse_landlord"},
	},
	"app.forget_idempotency_keys()": {
		owner: "rowhouse_remover", definer: true, volatility: "v", parallel: "u",
		callers: []string{"rowhouse_landlord"},
	},
}

// role is what a role is and may become. A role that is not named here, and is
// neither Postgres's own nor the superuser of the tests, fails them.
type role struct {
	login     bool
	bypasses  bool // BYPASSRLS; on Supabase for service_role only
	inherits  bool // Supabase's roles do; ours never
	looksInto bool // USAGE on schema app
	becomes   []string
}

var personas = []string{"rowhouse_landlord", "rowhouse_tenant", "rowhouse_user"}

// roles are all roles of the cluster.
var roles = map[string]role{
	"rowhouse_owner":    {looksInto: true},
	"rowhouse_landlord": {looksInto: true},
	"rowhouse_tenant":   {looksInto: true},
	"rowhouse_user":     {looksInto: true},
	"rowhouse_remover":  {looksInto: true},
	"rowhouse_api":      {login: true, looksInto: true, becomes: personas},
	"rowhouse_worker":   {login: true, looksInto: true, becomes: personas},
	"rowhouse_migrator": {login: true, becomes: []string{"rowhouse_owner", "rowhouse_remover"}},
	"anon":              {inherits: true},
	"authenticated":     {inherits: true},
	"service_role":      {inherits: true, bypasses: true},
}

// undocumented are the routes that are not in the OpenAPI document. None of them
// looks at who is asking.
var undocumented = []string{"/healthz", "/readyz", "/openapi.json", "/docs", "/docs/*"}
