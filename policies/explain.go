package policies

import "embed"

//go:embed explain/*.sql
var explain embed.FS

// Explain is SQL for measuring what policies cost: "fill", "settings", "act",
// "queries" or "leads"; see the files in explain/.
func Explain(name string) string {
	b, err := explain.ReadFile("explain/" + name + ".sql")
	if err != nil {
		panic(err) // the file is embedded
	}
	return string(b)
}
