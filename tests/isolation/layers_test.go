package isolation

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// layers are states of a database that has lost all protections but one kind.
// None should ever exist: each shows that the protection that is left holds by
// itself, and is not merely standing behind another.
var layers = []struct{ name, strip string }{
	{"policies without column grants", openGrants},
	{"policies without column grants and guards", openGrants + dropGuards},
	{"boundary alone", openGrants + dropGuards + openPolicies},
	{"persona policies alone", openGrants + dropGuards + dropBoundary},
	{"column grants alone", dropGuards + dropBoundary + openPolicies},
}

const (
	openGrants = `grant select, insert, update, delete on all tables in schema app
		to rowhouse_landlord, rowhouse_user, rowhouse_tenant, rowhouse_support, rowhouse_remover, rowhouse_clerk;`
	dropGuards = `
		do $$ declare t record; begin
			for t in select tgname, tgrelid::regclass as name from pg_trigger where not tgisinternal and tgrelid in (select oid from pg_class where relnamespace = 'app'::regnamespace) loop
				execute format('drop trigger %I on %s', t.tgname, t.name);
			end loop;
		end $$;`
	dropBoundary = `
		do $$ declare p record; begin
			for p in select * from pg_policies where permissive = 'RESTRICTIVE' loop
				execute format('drop policy %I on %I.%I', p.policyname, p.schemaname, p.tablename);
			end loop;
		end $$;`
	openPolicies = `
		do $$ declare t record; begin
			for t in select oid::regclass as name from pg_class where relnamespace = 'app'::regnamespace and relkind = 'r' loop
				execute format('create policy left_over on %s as permissive to public using (true) with check (true)', t.name);
			end loop;
		end $$;`
)

// TestLayers attacks with each layer alone.
func TestLayers(t *testing.T) {
	t.Parallel()
	for _, layer := range layers {
		t.Run(layer.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			_, err := w.Admin.Exec(t.Context(), layer.strip)
			require.NoError(t, err)
			secrets := w.secrets(t, w.b.UserID)
			w.mine = append(w.mine, quote(w.a.Tenant.UserID.String()))
			w.before = w.others(t)
			grantsAlone := strings.HasPrefix(layer.name, "column grants")
			for _, persona := range personas {
				a := w.as(t, persona, actor(persona, w.a))
				nobody, forged := *a, *a
				nobody.name, nobody.identity = "nobody", nil
				forged.name, forged.identity = "forged", w.impostures(persona)[5].identity
				for _, c := range []*caller{a, &nobody, &forged} {
					for _, name := range w.tables {
						attackLayer(t, w, c, name, secrets, grantsAlone)
					}
				}
			}
			for _, servant := range servants {
				a := w.connect(t, &caller{name: servant, login: "rowhouse_migrator", role: servant, identity: sealed(servant, w.a.UserID)})
				for _, name := range w.tables {
					// deleting is what the one is for, and what triggers write is the other's
					if !grantsAlone && (servant != "rowhouse_clerk" || !tables[name].byTriggers) {
						attackLayer(t, w, a, name, secrets, false)
					}
				}
			}
		})
	}
}

func attackLayer(t *testing.T, w *world, c *caller, name string, secrets []string, writing bool) {
	t.Helper()
	g := tables[name].grants[c.effective()]
	granted, changeable := words(g.inserts), words(g.updates)
	if !writing {
		granted, changeable = w.stored(t, name), w.stored(t, name)
		for _, pattern := range slices.Concat(reads, wholes) {
			sql := w.about(t, pattern, name)
			c.run(t, sql).keeps(t, secrets, c.name+": "+sql)
		}
	}
	for _, attack := range w.writes(t, name, granted, changeable) {
		if writing && (attack.code != denied || attack.byPolicy) {
			continue // without policies it goes through
		}
		o := c.run(t, attack.sql)
		if !writing {
			o.keeps(t, secrets, c.name+": "+attack.sql)
		}
		w.unharmed(t, fmt.Sprintf("%s: %s\n%s", c.name, attack.sql, o.said))
	}
}

// TestGuards changes what never changes past every policy and grant.
func TestGuards(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, name := range w.tables {
		columns := w.columns(t, name)
		if !strings.Contains(" "+strings.Join(columns, " ")+" ", " version ") {
			continue
		}
		for _, column := range columns {
			value, fixed := map[string]string{
				"owner_user_id": quote(w.c.UserID.String()), "id": "gen_random_uuid()",
				"created_by": quote(w.c.UserID.String()), "created_at": "now() - interval '1 hour'",
			}[column]
			if !fixed {
				continue
			}
			_, err := w.Admin.Exec(t.Context(), fmt.Sprintf("update %s set %s = %s where %s = $1", name, column, value, tables[name].owner), w.a.UserID)
			require.ErrorContains(t, err, "never change", "%s.%s", name, column)
		}
		// versions are counted whatever the statement says
		w.Exec(t, fmt.Sprintf("update %s set version = 77, updated_at = 'epoch' where %s = $1", name, tables[name].owner), w.a.UserID)
		require.Equal(t, []string{"2"}, slices.Compact(w.column(t, name, "version", w.a.UserID)))
		require.Equal(t, []string{"true"}, slices.Compact(w.column(t, name, "(updated_at > now() - interval '1 hour')", w.a.UserID)))
	}
}

// TestDropOwned removes a role's part in everything. On servers without the fix
// of CVE-2026-116311 that takes policies away that belong to others.
func TestDropOwned(t *testing.T) {
	t.Parallel()
	for _, persona := range personas {
		t.Run(persona, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			secrets := w.secrets(t, w.b.UserID)
			const all = "select format('%s %s', c.oid::regclass, p.polname) from pg_policy p join pg_class c on c.oid = p.polrelid order by 1"
			before := list(t, w, all)
			c := w.as(t, persona, w.a.UserID)
			for _, sql := range []string{"drop owned by current_user", "drop owned by current_user cascade", "drop owned by session_user"} {
				c.run(t, sql)
			}
			if w.dropOwnedFixed(t) {
				require.Equal(t, before, list(t, w, all))
			}
			require.Len(t, list(t, w, "select polname from pg_policy where not polpermissive"), len(w.all), "the boundary is everybody's and stays")

			// with whatever is left, grants given back too
			w.Exec(t, openGrants)
			for _, name := range w.tables {
				for _, pattern := range slices.Concat(reads, wholes) {
					sql := w.about(t, pattern, name)
					c.run(t, sql).keeps(t, secrets, sql)
				}
				for _, attack := range w.writes(t, name, w.stored(t, name), w.stored(t, name)) {
					o := c.run(t, attack.sql)
					w.unharmed(t, attack.sql+"\n"+o.said)
				}
			}
		})
	}
}
