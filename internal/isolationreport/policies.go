package isolationreport

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"strings"

	"rowhouse/internal/policy"
)

// verbs are the commands as people call them.
var verbs = []struct{ command, verb string }{{"SELECT", "read"}, {"INSERT", "add"}, {"UPDATE", "change"}, {"DELETE", "delete"}}

// readPolicies describes the policies of the live database.
func readPolicies(ctx context.Context, url string) Policies {
	nothing := Policies{ByPersona: []PersonaCount{}, ByTable: []Table{}, Functions: []Function{}}
	if url == "" {
		return nothing
	}
	inventory, err := policy.ReadInventory(ctx, url)
	if err != nil {
		slog.WarnContext(ctx, "isolation report: the policies could not be read", "error", err)
		return nothing
	}
	return describe(inventory)
}

func describe(i policy.Inventory) Policies {
	p := Policies{Read: true, ByPersona: countPersonas(i), ByTable: []Table{}, Functions: []Function{}}
	for _, row := range i.Tables {
		name := row.Schema + "." + row.Table
		if len(p.ByTable) == 0 || p.ByTable[len(p.ByTable)-1].Table != name {
			p.Tables++
			p.ByTable = append(p.ByTable, Table{
				Table: name, RowSecurity: row.Enabled && row.Forced, InWords: inWords(i, row.Schema, row.Table),
			})
		}
		table := &p.ByTable[len(p.ByTable)-1]
		switch {
		case row.Policy == nil:
		case *row.Boundary:
			p.Boundaries++
			table.Boundaries++
		default:
			p.Policies++
			table.Policies++
		}
	}
	for _, f := range i.Definers {
		p.Functions = append(p.Functions, Function{Name: f.Name, RunsAs: f.Owner, Callers: append([]string{}, f.Callers...)})
	}
	return p
}

// countPersonas counts the permissive policies for each role that somebody can act
// as.
func countPersonas(i policy.Inventory) []PersonaCount {
	counts := map[string]*PersonaCount{}
	for _, r := range i.Roles {
		if r.Persona {
			counts[r.Name] = &PersonaCount{Persona: r.Name, Who: who(r.Name)}
		}
	}
	for _, row := range i.Tables {
		if row.Policy == nil || *row.Boundary {
			continue
		}
		for _, role := range row.Roles {
			if internal(i.Roles, role) {
				continue
			}
			if counts[role] == nil {
				counts[role] = &PersonaCount{Persona: role, Who: who(role)}
			}
			for n, into := range []*int{&counts[role].Read, &counts[role].Add, &counts[role].Change, &counts[role].Delete} {
				if *row.Command == "ALL" || *row.Command == verbs[n].command {
					*into++
				}
			}
		}
	}
	list := []PersonaCount{}
	for _, c := range counts {
		list = append(list, *c)
	}
	slices.SortFunc(list, func(a, b PersonaCount) int { return cmp.Compare(a.Persona, b.Persona) })
	return list
}

// internal reports whether a role is one of ours that no request can act as, and
// that nobody can sign in as.
func internal(roles []policy.OurRole, name string) bool {
	return slices.ContainsFunc(roles, func(r policy.OurRole) bool { return r.Name == name && !r.Persona && !r.Login })
}

// holder is somebody who may do something with some rows.
type holder struct{ who, rows string }

// yours is the holder that most rules are about.
var yours = holder{"you", "all of yours"}

// inWords says who may do what with a table: a sentence for the verbs that the same
// people have.
func inWords(i policy.Inventory, schema, table string) []string {
	sentences := []string{}
	var group []string
	var holders []holder
	end := func() {
		if len(holders) > 0 {
			sentences = append(sentences, sentence(strings.ReplaceAll(table, "_", " "), group, holders))
		}
	}
	for _, v := range verbs {
		have := holdersOf(i, schema, table, v.command)
		if !slices.Equal(have, holders) {
			end()
			group, holders = nil, have
		}
		group = append(group, v.verb)
	}
	end()
	if len(sentences) == 0 {
		return []string{"Nobody who signs in can read or change anything here; it is for the system's own bookkeeping."}
	}
	return sentences
}

// holdersOf are those who may give a command on a table, without our internal
// roles: nobody can be those.
func holdersOf(i policy.Inventory, schema, table, command string) []holder {
	var holders []holder
	for _, a := range i.Access {
		if a.Schema != schema || a.Table != table || a.Command != command || a.Scope() == "none" || internal(i.Roles, a.Role) {
			continue
		}
		if h := (holder{who(a.Role), rowsOf(a)}); !slices.Contains(holders, h) {
			holders = append(holders, h)
		}
	}
	return holders
}

func sentence(table string, verbs []string, holders []holder) string {
	if len(holders) == 1 && holders[0] == yours {
		return "Only you can " + and(verbs) + " your " + table + "."
	}
	var people, rows []string
	for _, h := range holders {
		if !slices.Contains(people, h.who) {
			people = append(people, h.who)
		}
		rows = append(rows, h.who+" "+h.rows)
	}
	return "Only " + and(people) + " can " + and(verbs) + " " + table + ": " + strings.Join(rows, "; ") + "."
}

// who is a role as a landlord would call those who act as it.
func who(role string) string {
	switch role {
	case "rowhouse_landlord":
		return "you"
	case "rowhouse_tenant":
		return "your tenants"
	case "rowhouse_user":
		return "whoever is signed in"
	case "rowhouse_support":
		return "our support staff"
	case "PUBLIC":
		return "everybody with a login to the database"
	}
	return "the database role " + role
}

// rowsOf says which rows an access is to. What is wider than it should be must read
// so.
func rowsOf(a policy.Access) string {
	var rows string
	switch scope := a.Scope(); {
	case scope == "own" && a.Role == "rowhouse_landlord":
		rows = yours.rows
	case scope == "own":
		rows = "those that are their own"
	case scope == "self":
		rows = "the one that is about themselves"
	case scope == "some" && a.Role == "rowhouse_support":
		rows = "those that a landlord lets them see, for as long"
	case scope == "some":
		rows = "those that a policy ties to them"
	case a.BoundaryUsing != nil || a.BoundaryChecks != nil:
		rows = "those within the table's boundary"
	default:
		rows = "every landlord's"
	}
	if a.Command == "SELECT" && a.Columns != nil {
		rows += ", and not all columns"
	}
	return rows
}

func and(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}
