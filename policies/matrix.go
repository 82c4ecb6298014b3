package policies

import "embed"

//go:embed matrix/*.sql
var matrix embed.FS

// Matrix is a query for who may do what: "access", "functions", "schemas" or
// "roles"; see the files in matrix/.
func Matrix(name string) string {
	b, err := matrix.ReadFile("matrix/" + name + ".sql")
	if err != nil {
		panic(err) // the file is embedded
	}
	return string(b)
}
