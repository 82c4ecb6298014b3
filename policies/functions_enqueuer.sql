-- The way into the job queue.
--
-- Who wants something done in the background writes no row of the queue. What they
-- write in app has a trigger of rowhouse_enqueuer, which queues the job in the same
-- transaction: no row without its job, and no job for a row that was rolled back.
-- rowhouse_enqueuer can add jobs of the kinds below, for the caller, and nothing
-- else; the policy on river.river_job says so a second time.
--
-- A job is a kind and two ids: whose, and of what. It holds no personal data, and
-- the worker reads what it is about as the landlord whose job it is.

set local role rowhouse_owner;
grant usage, create on schema app to rowhouse_enqueuer;
set local role rowhouse_enqueuer;

-- enqueue_jobs queues a job of a kind about each of the ids. One that waits or runs
-- already is not queued a second time: what must not be lost then needs an id of its
-- own. A job by itself goes ahead of those that come many at a time.
create or replace function app.enqueue_jobs(of_kind text, ids uuid[]) returns void
    language plpgsql
    set search_path = pg_catalog, pg_temp
as $$
declare
    me   uuid := app.current_user_id();
    kind record;
begin
    select k.* into kind
      from (values
               -- a mail that cannot leave is tried for about a day
               ('invite_mail', 'mail', 16),
               -- each worker that is killed in the middle of an import costs it an attempt
               ('import', 'import', 25),
               -- waits most of its time, and is not given up over what goes wrong
               ('import_purge', 'import', 25),
               ('account_deletion', 'accounts', 10),
               ('export', 'exports', 10)
           ) as k (name, queue, max_attempts)
     where k.name = of_kind;
    if not found then
        raise exception 'there is no job of the kind %', of_kind;
    end if;
    insert into river.river_job (kind, queue, priority, max_attempts, args, unique_key, unique_states)
    select kind.name, kind.queue, case when cardinality(ids) = 1 then 1 else 2 end, kind.max_attempts,
           jsonb_build_object('ownerId', me, 'id', j.id),
           sha256(convert_to(concat_ws('|', kind.name, me, j.id), 'UTF8')),
           B'11110001' -- scheduled, running, retryable, pending, available
      from unnest(ids) as j (id)
    on conflict do nothing;
end
$$;

-- enqueue_invite_mails queues the mails of the caller's invites that were made or
-- renewed. What others put there (the move from the old system, a DBA) is not
-- mailed.
create or replace function app.enqueue_invite_mails() returns trigger
    language plpgsql security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    mails uuid[];
begin
    if tg_op = 'INSERT' then
        mails := array(select n.mail_id from new_rows n
                        where n.mail_state = 'QUEUED' and n.owner_user_id = (select app.current_user_id()));
    else
        mails := array(select n.mail_id from new_rows n
                        where n.mail_state = 'QUEUED' and n.owner_user_id = (select app.current_user_id())
                          -- a hashed subplan, however many rows the statement changes
                          and n.mail_id not in (select o.mail_id from old_rows o));
    end if;
    if cardinality(mails) > 0 then
        perform app.enqueue_jobs('invite_mail', mails);
    end if;
    return null;
end
$$;

-- enqueue_imports queues the caller's imports that were started, or that are to be
-- undone; and with a new one the deletion of its rows, which waits until it is time.
create or replace function app.enqueue_imports() returns trigger
    language plpgsql security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    made    uuid[];
    started uuid[];
begin
    if tg_op = 'INSERT' then
        made := array(select n.id from new_rows n where n.owner_user_id = (select app.current_user_id()));
        if cardinality(made) > 0 then
            perform app.enqueue_jobs('import_purge', made);
        end if;
        return null;
    end if;
    started := array(select n.job_id from new_rows n
                      where n.state in ('RUNNING', 'UNDOING') and n.owner_user_id = (select app.current_user_id())
                        and n.job_id not in (select o.job_id from old_rows o));
    if cardinality(started) > 0 then
        perform app.enqueue_jobs('import', started);
    end if;
    return null;
end
$$;

-- enqueue_account_deletion queues the work on the caller's leaving.
create or replace function app.enqueue_account_deletion() returns trigger
    language plpgsql security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    deletions uuid[] := array(select n.id from new_rows n where n.state = 'REQUESTED' and n.owner_user_id = (select app.current_user_id()));
begin
    if cardinality(deletions) > 0 then
        perform app.enqueue_jobs('account_deletion', deletions);
    end if;
    return null;
end
$$;

-- enqueue_export queues the making of an export of the caller's.
create or replace function app.enqueue_export() returns trigger
    language plpgsql security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    requested uuid[] := array(select n.id from new_rows n where n.state = 'REQUESTED' and n.owner_user_id = (select app.current_user_id()));
begin
    if cardinality(requested) > 0 then
        perform app.enqueue_jobs('export', requested);
    end if;
    return null;
end
$$;

set local role rowhouse_owner;
revoke create on schema app from rowhouse_enqueuer;

-- Created here for the triggers of migrations; policy apply takes them away again.
set local role rowhouse_enqueuer;
grant execute on function app.enqueue_invite_mails(), app.enqueue_imports(), app.enqueue_account_deletion(), app.enqueue_export() to rowhouse_owner;
set local role rowhouse_owner;
