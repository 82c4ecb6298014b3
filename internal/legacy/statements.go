package legacy

import "embed"

// files holds the statements; they are never written to. Those of staged tables
// are named <table>_resolve.sql and <table>_copy.sql.
//
//go:embed sql/*.sql
var files embed.FS

func statement(name string) string {
	b, err := files.ReadFile("sql/" + name + ".sql")
	if err != nil {
		panic(err) // the file is embedded
	}
	return string(b)
}

// table is one of the old system's tables, with the columns that it must and may
// have.
type table struct {
	name     string
	required []string
	optional []string
	ignored  []string // known, and not copied on purpose
}

// tables in the order of their references.
var tables = []table{
	{"users", []string{"id", "email"}, []string{"name", "phone", "created_at"}, []string{"role"}},
	{"units", []string{"id", "owner_id", "name"}, []string{"address", "city", "state", "postal_code", "created_at"}, nil},
	{"tenants", []string{"id", "first_name", "last_name", "email", "unit_id", "user_id"}, []string{"phone", "created_at"}, nil},
	{"tenancies", []string{"id", "unit_id", "tenant_id", "start_date", "end_date"}, []string{"created_at"}, nil},
	{"tenant_invites", []string{"id", "tenant_id", "token", "claimed_at", "expires_at"}, []string{"email", "created_at"}, nil},
	{
		"tickets",
		[]string{"id", "unit_id", "tenant_id", "title", "status", "priority", "created_at"},
		[]string{"description", "updated_at"},
		nil,
	},
}
