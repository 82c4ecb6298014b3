// Package advisors runs Supabase's own checks, the database advisors and the lint of
// its command-line program, on a migrated database.
package advisors

import (
	"bytes"
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"rowhouse/internal/dbtest"
	supabasecli "rowhouse/tests/supabase-cli"
)

func TestMain(m *testing.M) { os.Exit(dbtest.Main(m)) }

// exposed has the program count our schemas as served by PostgREST. It reads the
// list here and overrides the database's own setting pgrst.db_schemas, by default
// with public, where most checks would find nothing to look at.
const exposed = `project_id = "rowhouse"

[api]
schemas = ["public", "app", "app_private"]
`

// finding is one result of either command.
type finding struct {
	check, object, level, detail string
}

// supabase runs the program on the database and decodes its results.
func supabase(t *testing.T, d *dbtest.Database, results any, args ...string) {
	t.Helper()
	remote, err := url.Parse(d.URL("postgres"))
	require.NoError(t, err)
	query := remote.Query()
	query.Set("sslmode", "disable")
	remote.RawQuery = query.Encode()

	project := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(project, "supabase"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(project, "supabase", "config.toml"), []byte(exposed), 0o600))

	var stdout, stderr bytes.Buffer
	cmd := supabasecli.Command(t, project, append(args, "--remote="+remote.String(), "--fail-on", "none", "--output-format", "json")...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	require.NoError(t, cmd.Run(), "%s", &stderr)
	require.NoError(t, json.Unmarshal(stdout.Bytes(), results), "%s", &stdout)
}

func advisors(t *testing.T, d *dbtest.Database) (found []finding) {
	t.Helper()
	var answer struct {
		Results []struct{ Name, Level, Detail, CacheKey string }
	}
	supabase(t, d, &answer, "db", "advisors", "--type", "all", "--level", "info")
	for _, r := range answer.Results {
		found = append(found, finding{r.Name, r.CacheKey, r.Level, r.Detail})
	}
	return found
}

// triggers has plpgsql_check look at trigger functions as the program has it look
// at the others: it leaves them out, because each needs its table. What one of
// several triggers of a function and table lacks, such as a transition table, the
// function asks tg_op for.
const triggers = `
	with uses as (
	    select t.oid, t.tgfoid, t.tgrelid, t.tgoldtable, t.tgnewtable, count(*) over (partition by t.tgfoid, t.tgrelid) as triggers
	      from pg_trigger t join pg_proc p on p.oid = t.tgfoid
	     where p.pronamespace in ('app'::regnamespace, 'app_private'::regnamespace) and not t.tgisinternal
	)
	select u.tgfoid::regproc::text, format('%s: line %s: %s', u.tgrelid::regclass, c.lineno, c.message), c.level
	  from uses u
	 cross join lateral plpgsql_check_function_tb(u.tgfoid, u.tgrelid, oldtable => u.tgoldtable, newtable => u.tgnewtable) c
	 group by u.tgfoid, u.tgrelid, u.triggers, c.lineno, c.message, c.level
	having count(distinct u.oid) = u.triggers`

func lint(t *testing.T, d *dbtest.Database) (found []finding) {
	t.Helper()
	var available bool
	require.NoError(t, d.Admin.QueryRow(t.Context(), "select exists (select from pg_available_extensions where name = 'plpgsql_check')").Scan(&available))
	if !available {
		supabasecli.Missing(t, "the server has no plpgsql_check: install postgresql-15-plpgsql-check, or that of the server's major")
	}
	var answer struct {
		Results []struct {
			Function string
			Issues   []struct{ Level, Message string }
		}
	}
	supabase(t, d, &answer, "db", "lint", "--level", "warning", "--schema", "app,app_private")
	for _, r := range answer.Results {
		for _, issue := range r.Issues {
			found = append(found, finding{"lint", r.Function, issue.Level, issue.Message})
		}
	}

	d.Exec(t, "create extension plpgsql_check")
	rows, err := d.Admin.Query(t.Context(), triggers)
	require.NoError(t, err)
	for rows.Next() {
		f := finding{check: "lint of a trigger"}
		require.NoError(t, rows.Scan(&f.object, &f.detail, &f.level))
		found = append(found, f)
	}
	require.NoError(t, rows.Err())
	return found
}

// TestFindsNothing: nothing is found that silenced.json does not say why to bear,
// and that file bears nothing that is found no longer.
func TestFindsNothing(t *testing.T) {
	t.Parallel()
	var silenced []struct{ Check, Object, Reason string }
	text, err := os.ReadFile("silenced.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &silenced))

	d := dbtest.New(t)
	found := append(advisors(t, d), lint(t, d)...)
	for _, s := range silenced {
		require.NotEmpty(t, s.Reason, s.Check)
		before := len(found)
		found = slices.DeleteFunc(found, func(f finding) bool {
			return f.check == s.Check && (s.Object == "*" || f.object == s.Object)
		})
		require.Less(t, len(found), before, "silenced.json: %s %s is found no longer", s.Check, s.Object)
	}
	require.Empty(t, found)
}

// TestFindsFaults shows that the checks look: at our schemas, and into functions.
func TestFindsFaults(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ fault, check, object string }{
		{"create table app.open (id int primary key); grant usage on schema app to anon; grant select on app.open to anon", "rls_disabled_in_public", "rls_disabled_in_public_app_open"},
		{"create view app.addresses as select address1 from app.units; grant usage on schema app to anon; grant select on app.addresses to anon", "security_definer_view", "security_definer_view_app_addresses"},
		{"drop index app.tenant_invites_claimed_by_idx", "unindexed_foreign_keys", "unindexed_foreign_keys_app_tenant_invites_tenant_invites_claimed_by_user_id_fkey"},
	} {
		t.Run(tt.check, func(t *testing.T) {
			t.Parallel()
			d := dbtest.New(t)
			d.Exec(t, tt.fault)
			require.True(t, slices.ContainsFunc(advisors(t, d), func(f finding) bool {
				return f.check == tt.check && f.object == tt.object
			}), tt.object)
		})
	}
	t.Run("functions", func(t *testing.T) {
		t.Parallel()
		d := dbtest.New(t)
		d.Exec(t, `
			create function app.wrong() returns int language plpgsql set search_path = pg_catalog, pg_temp
			    as 'begin return (select count(*) from app.nothing); end';
			create function app.wrong_trigger() returns trigger language plpgsql set search_path = pg_catalog, pg_temp
			    as 'begin new.nothing := 1; return new; end';
			create trigger wrong before insert on app.units for each row execute function app.wrong_trigger()`)
		var wrong []string
		for _, f := range lint(t, d) {
			wrong = append(wrong, f.check+" "+f.object+" "+f.level)
		}
		require.Equal(t, []string{"lint app.wrong error", "lint of a trigger app.wrong_trigger error"}, wrong)
	})
}
