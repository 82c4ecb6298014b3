package policies

import "embed"

//go:embed inventory/*.sql
var inventory embed.FS

// Inventory is a query for what there is of rules: "tables", "definers" or "roles";
// see the files in inventory/.
func Inventory(name string) string {
	b, err := inventory.ReadFile("inventory/" + name + ".sql")
	if err != nil {
		panic(err) // the file is embedded
	}
	return string(b)
}
