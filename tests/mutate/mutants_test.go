package mutate

import (
	"embed"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// mutant is one fault to plant.
type mutant struct {
	family   string
	relation string // the table that it is in, if it is in one
	name     string // what is changed; with the family and the table it names the mutant
	mutation string // SQL for a superuser
	undo     string // SQL, if the mutation reaches beyond one database
}

// id stays the same as long as the thing that is mutated has its name.
func (m mutant) id() string {
	return strings.Join(slices.DeleteFunc([]string{m.family, m.relation, m.name}, func(s string) bool { return s == "" }), ": ")
}

// queries each return mutants from the catalog of the database that they run in.
//
//go:embed mutants/*.sql
var queries embed.FS

// enumerate returns the mutants of a migrated database, in a stable order.
func enumerate(t testing.TB, conn *pgx.Conn) []mutant {
	t.Helper()
	files, err := queries.ReadDir("mutants")
	require.NoError(t, err)
	var all []mutant
	for _, file := range files {
		sql, err := queries.ReadFile("mutants/" + file.Name())
		require.NoError(t, err)
		rows, err := conn.Query(t.Context(), fmt.Sprintf("select family, relation, name, undo, mutation from (%s) m order by family, relation, name", sql))
		require.NoError(t, err, file.Name())
		for rows.Next() {
			var m mutant
			var relation, undo, mutation *string
			require.NoError(t, rows.Scan(&m.family, &relation, &m.name, &undo, &mutation))
			require.NotNil(t, mutation, "%s: %s: the text to change does not stand there exactly once", m.family, m.name)
			m.mutation = *mutation
			if relation != nil {
				m.relation = *relation
			}
			if undo != nil {
				m.undo = *undo
			}
			all = append(all, m)
		}
		require.NoError(t, rows.Err(), file.Name())
	}
	return append(all, conditions(t, conn)...)
}

// conditions returns mutants of the parts of policies: of each comparison one
// where it is true, and some where another column is compared: who wrote a row, if it says so, or else its id.
func conditions(t testing.TB, conn *pgx.Conn) []mutant {
	t.Helper()
	rows, err := conn.Query(t.Context(), `select policyname, format('%I.%I', schemaname, tablename), clause, expression,
			array(select attname::text from pg_attribute where attrelid = format('%I.%I', schemaname, tablename)::regclass and attnum > 0
			         and atttypid = 'uuid'::regtype and attname in ('created_by', 'id', 'owner_user_id') order by attname)
		from pg_policies cross join lateral (values ('using', qual), ('with check', with_check)) c (clause, expression)
		where schemaname in ('app', 'app_private') and expression is not null order by 2, 1, 3`)
	require.NoError(t, err)
	var all []mutant
	var policy, relation, clause, expression string
	var columns []string
	_, err = pgx.ForEachRow(rows, []any{&policy, &relation, &clause, &expression, &columns}, func() error {
		add := func(family, name, changed string) {
			all = append(all, mutant{
				family: family, relation: relation, name: policy + " " + clause + ": " + name,
				mutation: fmt.Sprintf("alter policy %s on %s %s (%s)", policy, relation, clause, changed),
			})
		}
		times := map[string]int{} // a condition may stand in a policy more than once
		for _, c := range comparisons(expression) {
			before, text, after := expression[:c.from], expression[c.from:c.to], expression[c.to:]
			times[text]++
			name := text
			if n := times[text]; n > 1 {
				name = fmt.Sprintf("%s, no. %d", text, n)
			}
			if text != expression {
				add("condition dropped", name, before+"true"+after)
			}
			if column := compared.FindStringSubmatch(text); column != nil {
				if i := slices.IndexFunc(columns, func(c string) bool { return c != column[1] }); i >= 0 {
					add("column swapped", fmt.Sprintf("%s for %s in %s", columns[i], column[1], name), before+"("+columns[i]+text[1+len(column[1]):]+after)
				}
			}
		}
		return nil
	})
	require.NoError(t, err)
	return all
}

type span struct{ from, to int }

var (
	compared   = regexp.MustCompile(`^\((owner_user_id|id|tenant_id|user_id|created_by) = `)
	comparison = regexp.MustCompile(` (=|<>|<|>|<=|>=|IS NULL|IS NOT NULL)( |$)`)
)

// comparisons are the brackets of an expression, as Postgres prints it, that hold
// one comparison each.
func comparisons(expression string) []span {
	var all []span
	var open []int
	quoted := false
	for i, c := range expression {
		switch {
		case c == '\'':
			quoted = !quoted
		case quoted:
		case c == '(':
			open = append(open, i)
		case c == ')':
			from := open[len(open)-1]
			open = open[:len(open)-1]
			inside := outermost(expression[from+1 : i])
			if comparison.MatchString(inside) && !strings.Contains(inside, " AND ") && !strings.Contains(inside, " OR ") && !strings.Contains(inside, "SELECT") {
				all = append(all, span{from, i + 1})
			}
		}
	}
	return all
}

// outermost is a text without what stands in brackets in it.
func outermost(text string) string {
	var b strings.Builder
	depth := 0
	for _, c := range text {
		switch c {
		case '(':
			depth++
		case ')':
			depth--
		default:
			if depth == 0 {
				b.WriteRune(c)
			}
		}
	}
	return b.String()
}
