// Package policies holds who may do what, as SQL files that say the whole
// truth: what they do not grant is taken away when they are applied.
package policies

import (
	"embed"
	"io/fs"
	"regexp"
	"slices"
	"strings"
)

//go:embed *.sql lint/*.sql README.md
var files embed.FS

// special are the files that are neither functions nor one table's.
var special = []string{"cluster.sql", "guard.sql", "reset.sql", "schemas.sql", "state.sql"}

// Cluster is the query for what the cluster and the database lack; see the file.
func Cluster() string { return read("cluster.sql") }

// Guard is the query for what makes it unsafe to serve requests; see the file.
func Guard() string { return read("guard.sql") }

// Functions create or replace the functions that migrations and policies need.
func Functions() []File {
	return slices.DeleteFunc(Files(), func(f File) bool { return !strings.HasPrefix(f.Name, "functions") })
}

// Files are the SQL files of this directory.
func Files() []File {
	names, err := fs.Glob(files, "*.sql")
	if err != nil {
		panic(err) // the pattern is a constant
	}
	var all []File
	for _, name := range names {
		all = append(all, File{name, read(name)})
	}
	return all
}

// Lint are the queries of the checks, by the name of the file. Each row is a
// finding: id, severity, object, why, remedy.
func Lint() []File {
	names, err := fs.Glob(files, "lint/*.sql")
	if err != nil {
		panic(err) // the pattern is a constant
	}
	var queries []File
	for _, name := range names {
		if name != "lint/exceptions.sql" {
			queries = append(queries, File{name, read(name)})
		}
	}
	return queries
}

// LintExceptions is the query for the findings that are meant to be: id, object,
// reason.
func LintExceptions() string { return read("lint/exceptions.sql") }

// Definers are the signatures of the functions that README.md lets run as their
// owner.
func Definers() []string {
	_, list, _ := strings.Cut(read("README.md"), "\n## Definer functions\n")
	list, _, _ = strings.Cut(list, "\n## ")
	return signature.FindAllString(list, -1)
}

var signature = regexp.MustCompile(`\bapp(_private)?\.\w+\([^()]*\)`)

// File is one file to apply.
type File struct {
	Name string
	SQL  string
}

// Ordered returns what to apply in one transaction, in order: functions, then
// everything off, then schemas, then one file per table.
func Ordered() []File {
	ordered := append(Functions(), File{"reset.sql", read("reset.sql")}, File{"schemas.sql", read("schemas.sql")})
	for _, file := range Files() {
		if !slices.Contains(special, file.Name) && !strings.HasPrefix(file.Name, "functions") {
			ordered = append(ordered, file)
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
