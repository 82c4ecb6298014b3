// Package policies holds who may do what, as SQL files that say the whole
// truth: what they do not grant is taken away when they are applied.
package policies

import (
	"embed"
	"io/fs"
	"slices"
)

//go:embed *.sql
var files embed.FS

// special are the files that are not one table's.
var special = []string{"cluster.sql", "functions.sql", "functions_support.sql", "guard.sql", "reset.sql", "schemas.sql"}

// Cluster is the query for what the cluster and the database lack; see the file.
func Cluster() string { return read("cluster.sql") }

// Guard is the query for what makes it unsafe to serve requests; see the file.
func Guard() string { return read("guard.sql") }

// Functions creates or replaces the functions that migrations and policies need.
func Functions() string { return read("functions.sql") + read("functions_support.sql") }

// File is one file to apply.
type File struct {
	Name string
	SQL  string
}

// Ordered returns what to apply in one transaction, in order: functions, then
// everything off, then schemas, then one file per table.
func Ordered() []File {
	ordered := []File{
		{"functions.sql", Functions()},
		{"reset.sql", read("reset.sql")},
		{"schemas.sql", read("schemas.sql")},
	}
	names, err := fs.Glob(files, "*.sql")
	if err != nil {
		panic(err) // the pattern is a constant
	}
	for _, name := range names {
		if !slices.Contains(special, name) {
			ordered = append(ordered, File{name, read(name)})
		}
	}
	return ordered
}

func read(name string) string {
	b, err := files.ReadFile(name)
	if err != nil {
		panic(err) // the file is embedded
	}
	return string(b)
}
