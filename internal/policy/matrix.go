package policy

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"rowhouse/policies"
)

// Matrix is who may do what on which rows, as the catalog of a database has it.
type Matrix struct {
	Access    []Access
	Functions []Function
	Schemas   []SchemaRight
	Roles     []Role
}

// Access is one command that a role may give on a table; policies/matrix/access.sql
// says what the fields mean.
type Access struct {
	Schema, Table, Role, Command  string
	Columns, Without              []string
	Using, Checks                 *string
	BoundaryUsing, BoundaryChecks *string
	Through                       string
}

// Function is one of our functions; see policies/matrix/functions.sql.
type Function struct {
	Signature, Owner, Kind           string
	SearchPath                       *string
	Callers, Triggers, Reads, Writes []string
}

// SchemaRight is what a role may in a schema; see policies/matrix/schemas.sql.
type SchemaRight struct {
	Schema, Owner, Role string
	Privileges          []string
}

// Role is a role and what it may become; see policies/matrix/roles.sql.
type Role struct {
	Name                 string
	Attributes, MemberOf []string
}

// ReadMatrix reads the catalog of the database at url, in one read-only
// transaction that takes no lock that a statement would wait for.
func ReadMatrix(ctx context.Context, url string) (m Matrix, err error) {
	conn, err := connect(ctx, url)
	if err != nil {
		return Matrix{}, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	err = pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		if err := settle(ctx, tx); err != nil {
			return err
		}
		if m.Access, err = rows[Access](ctx, tx, "access"); err != nil {
			return err
		}
		if m.Functions, err = rows[Function](ctx, tx, "functions"); err != nil {
			return err
		}
		if m.Schemas, err = rows[SchemaRight](ctx, tx, "schemas"); err != nil {
			return err
		}
		m.Roles, err = rows[Role](ctx, tx, "roles")
		return err
	})
	return m, err
}

func rows[T any](ctx context.Context, tx pgx.Tx, name string) ([]T, error) {
	found, err := tx.Query(ctx, policies.Matrix(name))
	if err != nil {
		return nil, fmt.Errorf("policies/matrix/%s.sql: %w", name, err)
	}
	all, err := pgx.CollectRows(found, pgx.RowToStructByPos[T])
	if err != nil {
		return nil, fmt.Errorf("policies/matrix/%s.sql: %w", name, err)
	}
	return all, nil
}

// page is a matrix arranged for readers.
type page struct {
	Personas  []string // who has any access, by name: the columns of the overview
	Tables    []section
	Definers  []Function
	Others    []Function
	Schemas   []SchemaRight
	Roles     []Role
	Strangers []string // who has access and is not ours
}

// section is what a page says of one table.
type section struct {
	Name     string // with the schema
	Anchor   string // as GitHub makes it of a heading
	Cells    []string
	Boundary []string // of all its lines; empty if lines have boundaries of their own
	Lines    []line
}

// line is one Access in words.
type line struct {
	Role, Command, Through string
	Columns                columns
	Rows, Written          condition
	Boundary               []condition
}

// columns are all of a table's, some, or all but some.
type columns struct {
	All, AllBut bool
	Names       []string
}

// condition is SQL, or words where there is nothing to compare.
type condition struct{ SQL, Words string }

// page arranges m.
func (m Matrix) page() page {
	p := page{Schemas: m.Schemas, Roles: m.Roles}
	for _, a := range m.Access {
		if !slices.Contains(p.Personas, a.Role) {
			p.Personas = append(p.Personas, a.Role)
		}
		if !strings.HasPrefix(a.Role, "rowhouse_") && !slices.Contains(p.Strangers, a.Role) {
			p.Strangers = append(p.Strangers, a.Role)
		}
	}
	slices.Sort(p.Personas)
	slices.Sort(p.Strangers)
	for rest := m.Access; len(rest) > 0; {
		end := slices.IndexFunc(rest, func(a Access) bool { return a.Schema != rest[0].Schema || a.Table != rest[0].Table })
		if end < 0 {
			end = len(rest)
		}
		p.Tables = append(p.Tables, newSection(rest[:end], p.Personas))
		rest = rest[end:]
	}
	for _, f := range m.Functions {
		if f.Kind == "runs as its owner" {
			p.Definers = append(p.Definers, f)
		} else {
			p.Others = append(p.Others, f)
		}
	}
	return p
}

func newSection(access []Access, personas []string) section {
	name := access[0].Schema + "." + access[0].Table
	s := section{Name: name, Anchor: strings.ReplaceAll(name, ".", "")}
	for _, persona := range personas {
		s.Cells = append(s.Cells, cell(access, persona))
	}
	boundary, common := commonBoundary(access)
	for _, a := range access {
		l := line{
			Role: a.Role, Command: a.Command, Through: a.Through, Columns: columns{All: a.Columns == nil, Names: a.Columns},
			Rows: words(a.Using), Written: words(a.Checks),
		}
		if len(a.Without) < len(a.Columns) {
			l.Columns = columns{AllBut: true, Names: a.Without}
		}
		if a.Using != nil && a.Checks != nil && *a.Using == *a.Checks {
			l.Written = condition{Words: "the same"}
		}
		if !common {
			for _, b := range []*string{a.BoundaryUsing, a.BoundaryChecks} {
				if b != nil && !slices.Contains(l.Boundary, words(b)) {
					l.Boundary = append(l.Boundary, words(b))
				}
			}
		}
		s.Lines = append(s.Lines, l)
	}
	if common {
		s.Boundary = boundary
	}
	return s
}

// commonBoundary is what all of a table's lines have for a boundary: of a row that
// is there, and of one that is written. It is not common if lines differ.
func commonBoundary(access []Access) (boundary []string, common bool) {
	var using, checks *string
	for _, a := range access {
		for _, side := range []struct {
			asked     *string
			all, here **string
		}{{a.Using, &using, &a.BoundaryUsing}, {a.Checks, &checks, &a.BoundaryChecks}} {
			switch {
			case side.asked == nil:
			case *side.here == nil:
				return nil, false
			case *side.all == nil:
				*side.all = *side.here
			case **side.all != **side.here:
				return nil, false
			}
		}
	}
	if using != nil {
		boundary = append(boundary, *using)
	}
	if checks != nil && (using == nil || *checks != *using) {
		boundary = append(boundary, *checks)
	}
	return boundary, true
}

// words says what a condition without a comparison means.
func words(sql *string) condition {
	switch {
	case sql == nil:
		return condition{Words: "–"}
	case *sql == "true":
		return condition{Words: "every row"}
	case *sql == "false":
		return condition{Words: "no row"}
	}
	return condition{SQL: *sql}
}

// cell is what the overview says of a persona and a table: letters of commands,
// small where they do not take all columns, each run of them with its rows.
func cell(access []Access, persona string) string {
	var parts []string
	var last string
	for _, a := range access {
		if a.Role != persona {
			continue
		}
		letter := a.Command
		if slices.Contains([]string{"SELECT", "INSERT", "UPDATE", "DELETE"}, a.Command) {
			letter = a.Command[:1]
		}
		if a.Columns != nil {
			letter = strings.ToLower(letter)
		}
		if strings.Contains(a.Through, "(") {
			letter += "†"
		}
		if scope := a.Scope(); scope == last && len(parts) > 0 {
			parts[len(parts)-1] += " " + letter
		} else {
			parts, last = append(parts, scope+" "+letter), scope
		}
	}
	for i, part := range parts {
		scope, letters, _ := strings.Cut(part, " ")
		parts[i] = strings.TrimSpace(letters + " " + scope)
	}
	return strings.Join(parts, ", ")
}

var myself = regexp.MustCompile(`^\w+ = app\.current_user_id\(\)$`)

const owned = "owner_user_id = app.current_user_id()"

// Scope is one word for the rows of a: "own", those whose owner is the caller, or
// some of them; "self", the row that is the caller; "some"; "every"; "none"; or
// nothing, if no policy is asked.
func (a Access) Scope() string {
	rows := a.Using
	if rows == nil {
		rows = a.Checks
	}
	switch {
	case rows == nil:
		return "" // no policy is asked
	case *rows == "true":
		return "every"
	case *rows == "false":
		return "none"
	case *rows == owned, strings.HasPrefix(*rows, owned+" AND ") && !strings.Contains(*rows, " OR "):
		return "own"
	case myself.MatchString(*rows):
		return "self"
	}
	return "some"
}
