package isolation

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// TestQueue wants the rights in the job queue's schema to be these. What else River
// keeps there is its own; a table that a version of it adds is nobody's until
// policies/river_job.sql says whose.
func TestQueue(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const queue = `with queue as (select c.* from pg_class c where c.relnamespace = 'river'::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S'))
	`
	require.Equal(t, []string{
		"rowhouse_worker DELETE river.river_job", "rowhouse_worker DELETE river.river_leader", "rowhouse_worker DELETE river.river_notification", "rowhouse_worker DELETE river.river_queue",
		"rowhouse_worker INSERT river.river_job", "rowhouse_worker INSERT river.river_leader", "rowhouse_worker INSERT river.river_notification", "rowhouse_worker INSERT river.river_queue",
		"rowhouse_worker SELECT river.river_job", "rowhouse_worker SELECT river.river_leader", "rowhouse_worker SELECT river.river_migration", "rowhouse_worker SELECT river.river_notification", "rowhouse_worker SELECT river.river_queue",
		"rowhouse_worker UPDATE river.river_job", "rowhouse_worker UPDATE river.river_leader", "rowhouse_worker UPDATE river.river_notification", "rowhouse_worker UPDATE river.river_queue",
	}, sortedList(t, w, queue+`select format('%s %s %s', coalesce(nullif(a.grantee, 0)::regrole::text, 'PUBLIC'), a.privilege_type, queue.oid::regclass)
		from queue cross join aclexplode(relacl) a where a.grantee <> relowner and relkind <> 'S'`))
	require.Equal(t, []string{"rowhouse_enqueuer INSERT args kind max_attempts priority queue unique_key unique_states of river.river_job"},
		sortedList(t, w, queue+`select format('%s %s %s of %s', a.grantee::regrole, a.privilege_type, string_agg(t.attname, ' ' order by t.attname), queue.oid::regclass)
		from queue join pg_attribute t on t.attrelid = queue.oid cross join aclexplode(t.attacl) a group by a.grantee, a.privilege_type, queue.oid`))
	require.Equal(t, []string{
		"rowhouse_enqueuer USAGE river.river_job_id_seq", "rowhouse_worker USAGE river.river_job_id_seq", "rowhouse_worker USAGE river.river_notification_id_seq",
	}, sortedList(t, w, queue+`select format('%s %s %s', a.grantee::regrole, a.privilege_type, queue.oid::regclass)
		from queue cross join aclexplode(relacl) a where a.grantee <> relowner and relkind = 'S'`))
	require.Equal(t, []string{"rowhouse_enqueuer USAGE", "rowhouse_worker USAGE"}, sortedList(t, w, `select format('%s %s', a.grantee::regrole, a.privilege_type)
		from pg_namespace cross join aclexplode(nspacl) a where nspname = 'river' and a.grantee <> nspowner`))
	require.Equal(t, []string{"river.river_job_state_in_bitmask(bit,river.river_job_state) {rowhouse_enqueuer,rowhouse_worker}"},
		sortedList(t, w, `select format('%s %s', oid::regprocedure, array(select a.grantee::regrole::text from aclexplode(coalesce(proacl, acldefault('f', proowner))) a
			where a.grantee <> proowner order by 1)) from pg_proc where pronamespace = 'river'::regnamespace`))
	none(t, w, queue+"select oid::regclass || ' belongs to ' || relowner::regrole from queue where relowner <> 'rowhouse_owner'::regrole")
	require.Equal(t, []string{"true"}, sortedList(t, w, "select relrowsecurity::text from pg_class where oid = 'river.river_job'::regclass"))
	require.Equal(t, []string{"enqueuer_insert_river_job INSERT {rowhouse_enqueuer}", "worker_all_river_job ALL {rowhouse_worker}"},
		sortedList(t, w, "select format('%s %s %s', policyname, cmd, roles) from pg_policies where schemaname = 'river'"))
}

func sortedList(t *testing.T, w *world, sql string) []string {
	t.Helper()
	all := list(t, w, sql)
	slices.Sort(all) // the database's collation is any
	return all
}

// TestQueueIsShut: nobody but the worker can look into the queue or write to it, and
// what the database queues for a landlord is that landlord's and of a known kind.
func TestQueueIsShut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	job := "insert into river.river_job (kind, queue, priority, max_attempts, args) values ('%s', 'mail', 1, 1, %s)"
	args := func(owner uuid.UUID) string {
		return fmt.Sprintf(`jsonb_build_object('ownerId', '%s', 'id', gen_random_uuid())`, owner)
	}
	for _, persona := range personas {
		c := w.as(t, persona, w.b.UserID)
		for _, sql := range []string{
			"select * from river.river_job", "select * from river.river_queue", "delete from river.river_job", "lock table river.river_job",
			"update river.river_job set priority = 1", fmt.Sprintf(job, "invite_mail", args(w.b.UserID)),
			"select app.enqueue_jobs('invite_mail', array[gen_random_uuid()])", "select river.river_job_state_in_bitmask(b'1', 'running')",
			"set local role rowhouse_enqueuer", "set local role rowhouse_worker",
		} {
			require.Equal(t, denied, c.run(t, sql).code, "%s: %s", persona, sql)
		}
	}

	// rowhouse_enqueuer itself, as far as SQL injected into its functions could go
	clerk := w.as(t, "rowhouse_landlord", w.b.UserID)
	queueing := func(sql string) string {
		w.Exec(t, "create or replace function app.attempt() returns void language plpgsql security definer set search_path = pg_catalog, pg_temp as $$ begin "+sql+"; end $$")
		w.Exec(t, "alter function app.attempt() owner to rowhouse_enqueuer")
		w.Exec(t, "grant execute on function app.attempt() to rowhouse_landlord")
		return clerk.run(t, "select app.attempt()").code
	}
	require.Empty(t, queueing(fmt.Sprintf(job, "invite_mail", args(w.b.UserID))), "for the caller it may")
	for name, sql := range map[string]string{
		"for another":         fmt.Sprintf(job, "invite_mail", args(w.a.UserID)),
		"of another kind":     fmt.Sprintf(job, "drop_everything", args(w.b.UserID)),
		"with more than ids":  fmt.Sprintf(job, "invite_mail", args(w.b.UserID)+` || '{"email": "x@example.com"}'`),
		"about nothing":       fmt.Sprintf(job, "invite_mail", fmt.Sprintf(`jsonb_build_object('ownerId', '%s')`, w.b.UserID)),
		"looking in":          "perform from river.river_job",
		"changing":            "update river.river_job set priority = 1",
		"removing":            "delete from river.river_job",
		"looking at invites":  "perform from app.tenant_invites",
		"looking at the keys": "perform from app_private.seal_keys",
	} {
		require.Equal(t, denied, queueing(sql), name)
	}
}

// TestWorkerWithoutASeal: who has the worker's password and no seal key reads the
// queue, whose jobs are ids, and no row of anybody.
func TestWorkerWithoutASeal(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, persona := range []string{"", "rowhouse_landlord", "rowhouse_tenant", "rowhouse_user"} {
		c := w.connect(t, &caller{name: "the worker's login", login: "rowhouse_worker", role: persona})
		for _, name := range w.all {
			o := c.run(t, "select 1 from "+name)
			require.Empty(t, o.rows, "%s as %s", name, persona)
			if persona == "" {
				require.Equal(t, denied, o.code, name)
			}
		}
	}
}
