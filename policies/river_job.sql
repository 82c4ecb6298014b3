-- river: the job queue, whose tables the library River makes and changes.
--
--   river_job   rowhouse_worker   rowhouse_enqueuer
--   select      any
--   insert      any               of a known kind, for the caller
--   update      any
--   delete      any
--
-- No persona and neither the API's login nor PUBLIC can look inside. A landlord's jobs
-- are not theirs to read: what became of one stands in the row that it is about.
-- Of the other tables River keeps its own books in; they know nothing of landlords.

alter table river.river_job enable row level security;

grant usage on schema river to rowhouse_worker, rowhouse_enqueuer;

grant select, insert, update, delete on river.river_job, river.river_leader, river.river_queue, river.river_notification
    to rowhouse_worker;
grant select on river.river_migration to rowhouse_worker;
grant insert (kind, queue, priority, max_attempts, args, unique_key, unique_states) on river.river_job to rowhouse_enqueuer;
grant usage on sequence river.river_job_id_seq to rowhouse_worker, rowhouse_enqueuer;
grant usage on sequence river.river_notification_id_seq to rowhouse_worker;
grant execute on function river.river_job_state_in_bitmask(bit, river.river_job_state) to rowhouse_worker, rowhouse_enqueuer;

create policy worker_all_river_job on river.river_job to rowhouse_worker
    using (true) with check (true);

create policy enqueuer_insert_river_job on river.river_job for insert to rowhouse_enqueuer
    with check (kind in ('invite_mail', 'import', 'import_purge', 'account_deletion', 'export')
                and args - 'id' = jsonb_build_object('ownerId', (select app.current_user_id()))
                and (args ->> 'id')::uuid is not null);
