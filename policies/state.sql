-- The security state of a database, as facts: each row is one thing that is so,
-- the statements that make it so and those that undo it, and what either would
-- mean, in words. `rowhouse policy plan` compares the facts of a live database
-- with those of this build (state.json, the answer of this query on a freshly
-- migrated database). It reads the catalog only and works for every login.
--
--   step             statements that make are run by rising step, those that undo before
--                    them and by falling step
--   kind, object     which fact; there is one of each
--   fact             what is so; another text is another fact
--   widest           facts that let in whatever this one lets in, and more
--   replaces         making it replaces another fact of the same object; otherwise that
--                    one is undone first
--   make, unmake     statements; without any, it is not for policies to mend
--   made, unmade     what running them would mean
--   widens_made, widens_unmade   it gives somebody more, or nobody can tell that it does not
--
-- Where a table ought to be closed, the fact is that it is open: so a table that
-- the files do not know is closed too. What the versions of PostgreSQL name
-- differently is left out (MAINTAIN of an owner) or said alike (options of
-- memberships).
with
verbs (privilege, verb) as (
    values ('SELECT', 'read'), ('INSERT', 'insert'), ('UPDATE', 'update'), ('DELETE', 'delete'),
           ('TRUNCATE', 'truncate'), ('REFERENCES', 'refer to'), ('TRIGGER', 'put triggers on'),
           ('MAINTAIN', 'maintain and lock'), ('USAGE', 'use'), ('EXECUTE', 'call'), ('CREATE', 'create objects in')
),
schemas as (
    select oid, nspname as name, nspowner as owner, nspacl as acl,
           pg_get_userbyid(nspowner) as owner_name
      from pg_namespace where nspname in ('app', 'app_private', 'river')
),
roles as (
    select oid, rolname as name, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication, rolinherit, rolcanlogin
      from pg_roles where rolname like 'rowhouse\_%'
),
relations as (
    select c.oid, c.oid::regclass::text as name, c.relkind, c.relowner as owner, c.relacl as acl, s.name as schema,
           format('set local role %I', pg_get_userbyid(c.relowner)) as as_owner,
           c.relrowsecurity, c.relforcerowsecurity,
           case c.relkind when 'S' then 'sequence' else 'table' end as class
      from pg_class c join schemas s on s.oid = c.relnamespace
     where c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
),
routines as (
    select p.oid, p.oid::regprocedure::text as name, p.proowner as owner, p.proacl as acl, p.prokind,
           pg_get_userbyid(p.proowner) as owner_name, s.name as schema, s.owner as schema_owner,
           format('set local role %I', pg_get_userbyid(p.proowner)) as as_owner,
           format('set local role %I', s.owner_name) as as_schema_owner
      from pg_proc p join schemas s on s.oid = p.pronamespace
),
-- what has an owner and can be granted
objects as (
    select 45 as step, 'schema' as class, quote_ident(name) as name, owner, acl, acldefault('n', owner) as standard,
           format('set local role %I', owner_name) as as_owner
      from schemas
    union all
    select 85, class, name, owner, acl, acldefault(case class when 'sequence' then 's' else 'r' end::"char", owner), as_owner
      from relations
    union all
    select 55, 'routine', name, owner, acl, acldefault('f', owner), as_owner
      from routines
),
grants as (
    select o.step, o.class, o.name, o.as_owner, a.privilege_type as privilege,
           case a.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(a.grantee)) end as grantee,
           bool_or(a.is_grantable) as grantable,
           coalesce(string_agg(' by ' || pg_get_userbyid(a.grantor), '' order by pg_get_userbyid(a.grantor))
                        filter (where a.grantor <> o.owner), '') as by_others
      from objects o cross join aclexplode(coalesce(o.acl, o.standard)) a
     where a.grantee <> o.owner
     group by o.step, o.class, o.name, o.as_owner, a.privilege_type, a.grantee
),
column_grants as (
    select r.name, quote_ident(t.attname) as col, r.as_owner, a.privilege_type as privilege,
           case a.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(a.grantee)) end as grantee,
           bool_or(a.is_grantable) as grantable,
           coalesce(string_agg(' by ' || pg_get_userbyid(a.grantor), '' order by pg_get_userbyid(a.grantor))
                        filter (where a.grantor <> r.owner), '') as by_others
      from relations r
      join pg_attribute t on t.attrelid = r.oid and not t.attisdropped
     cross join aclexplode(t.attacl) a
     where a.grantee <> r.owner
     group by r.name, t.attname, r.as_owner, a.privilege_type, a.grantee
),
-- whoever makes objects of ours
makers as (
    select roles.oid, roles.name from roles
     where roles.oid in (select owner from routines union select owner from relations union select owner from schemas)
),
defaults as (
    select m.name as maker, null::name as schema, k.kind, a.grantee, a.privilege_type as privilege, a.is_grantable
      from makers m
     cross join (values ('r', 'r', 'tables'), ('S', 's', 'sequences'), ('f', 'f', 'functions'),
                        ('T', 'T', 'types'), ('n', 'n', 'schemas')) as k (code, standard, kind)
      left join pg_default_acl d on d.defaclrole = m.oid and d.defaclnamespace = 0 and d.defaclobjtype = k.code::"char"
     cross join aclexplode(coalesce(d.defaclacl, acldefault(k.standard::"char", m.oid))) a
     where a.grantee <> m.oid
    union all
    select pg_get_userbyid(d.defaclrole), s.name,
           case d.defaclobjtype when 'r' then 'tables' when 'S' then 'sequences' when 'f' then 'functions' else 'types' end,
           a.grantee, a.privilege_type, a.is_grantable
      from pg_default_acl d
      join schemas s on s.oid = d.defaclnamespace
     cross join aclexplode(d.defaclacl) a
     where a.grantee <> d.defaclrole
),
default_grants as (
    select d.*, format('alter default privileges for role %I%s', maker, ' in schema ' || quote_ident(schema)) as alter_default,
           case grantee when 0 then 'public' else quote_ident(pg_get_userbyid(grantee)) end as grantee_name,
           kind || ' that ' || maker || ' makes' || coalesce(' in ' || schema, '') as what
      from defaults d
),
memberships as (
    select m.rolname as member, r.rolname as role,
           -- PostgreSQL 16 made options of these; before, inheriting was the member's attribute alone
           bool_or(coalesce((to_jsonb(a) ->> 'inherit_option')::boolean, false)) as inherits,
           bool_or(coalesce((to_jsonb(a) ->> 'set_option')::boolean, true)) as becomes,
           bool_or(a.admin_option) as administers,
           array_agg(format('revoke %I from %I%s', r.rolname, m.rolname,
                            case when current_setting('server_version_num')::int >= 160000
                                 then format(' granted by %I cascade', pg_get_userbyid(a.grantor)) end)
                     order by a.grantor) as revokes
      from pg_auth_members a
      join pg_roles m on m.oid = a.member
      join pg_roles r on r.oid = a.roleid
     where (m.rolname like 'rowhouse\_%' or r.rolname like 'rowhouse\_%')
       -- who administers roles can become a member at any time, and whoever looks
       -- as another login than rowhouse_migrator has to be one
       and (m.rolname like 'rowhouse\_%' or not (m.rolsuper or m.rolcreaterole or m.rolname = session_user))
     group by m.rolname, r.rolname
),
policy_parts as (
    select p.polname, r.name as relation, r.as_owner, p.polpermissive,
           case p.polcmd when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete' else 'all' end as command,
           (select string_agg(case x when 0 then 'public' else quote_ident(pg_get_userbyid(x)) end, ', '
                              order by pg_get_userbyid(x)) from unnest(p.polroles) x) as grantees,
           pg_get_expr(p.polqual, p.polrelid) as qual, pg_get_expr(p.polwithcheck, p.polrelid) as admitted
      from pg_policy p join relations r on r.oid = p.polrelid
),
policy_texts as (
    select *,
           format('create policy %I on %s as %s for %s to %s', polname, relation,
                  case when polpermissive then 'permissive' else 'restrictive' end, command, grantees) as head,
           ' using (' || qual || ')' as using_qual, ' with check (' || admitted || ')' as with_check,
           case when qual is not null then ' using (true)' end as using_true,
           case when admitted is not null then ' with check (true)' end as with_check_true,
           format('%s %s%s%s (policy %s)',
                  case command when 'all' then 'read and change rows of' when 'select' then 'read rows of' when 'insert' then 'insert rows into'
                               when 'update' then 'update rows of' else 'delete rows of' end,
                  relation, ' where ' || old_rows, case when qual is null then ' where ' else ', to become rows where ' end || new_rows,
                  polname) as deed
      from policy_parts
     -- on one line, and without how the caller is asked for once a statement
     cross join lateral (select regexp_replace(regexp_replace(qual, '\s+', ' ', 'g'), '\( SELECT (app\.\w+\(\)) AS \w+\)', '\1', 'g'),
                                regexp_replace(regexp_replace(admitted, '\s+', ' ', 'g'), '\( SELECT (app\.\w+\(\)) AS \w+\)', '\1', 'g')
                        ) as said (old_rows, new_rows)
),
facts (step, kind, object, fact, widest, replaces, make, unmake, made, unmade, widens_made, widens_unmade) as (
    select 10, 'role', name::text, 'exists', null::text[], false,
           array['set local role none', format('create role %I nologin noinherit', name)], null::text[],
           format('the role %s would exist', name), format('%s is a role that these files do not know', name), true, false
      from roles

    union all
    select 20, 'role attribute', roles.name || ' ' || attribute.word, 'set', null, false,
           array['set local role none', format('alter role %I %s', roles.name, attribute.word)],
           array['set local role none', format('alter role %I no%s', roles.name, attribute.word)],
           format('%s could %s', roles.name, attribute.meaning), format('%s could no longer %s', roles.name, attribute.meaning), true, false
      from roles
     cross join lateral (
           values ('superuser', rolsuper, 'do everything, as a superuser'), ('bypassrls', rolbypassrls, 'pass by every policy'),
                  ('createrole', rolcreaterole, 'make and alter roles'), ('createdb', rolcreatedb, 'make databases'),
                  ('replication', rolreplication, 'read everything, by replication'),
                  ('inherit', rolinherit, 'use the rights of the roles that it is a member of without becoming them'),
                  ('login', rolcanlogin, 'log in')) as attribute (word, holds, meaning)
     where attribute.holds

    union all
    select 30, 'membership', format('%I in %I', member, role),
           concat_ws(', ', case when becomes then 'may become it' end, case when inherits then 'has its rights at once' end,
                           case when administers then 'may let others in' end),
           null, false,
           array['set local role none', format('grant %I to %I%s', role, member, case when administers then ' with admin option' end)],
           array['set local role none'] || revokes,
           format('%s could become %s', member, role),
           format('%s could no longer %s', member,
                  concat_ws(', ', case when becomes then 'become ' || role end, case when inherits then 'use the rights of ' || role end,
                                  case when administers then 'let others into ' || role end)),
           true, false
      from memberships

    union all
    select 35, 'setting', format('%s of %s%s', s.name, roles.name, case when d.setdatabase <> 0 then ' in this database' end), s.value, null, true,
           array['set local role none',
                 format('alter role %I%s set %I = %s', roles.name,
                        case when d.setdatabase <> 0 then format(' in database %I', current_database()) end, s.name,
                        case s.name when 'search_path' then s.value else quote_literal(s.value) end)],
           array['set local role none',
                 format('alter role %I%s reset %I', roles.name,
                        case when d.setdatabase <> 0 then format(' in database %I', current_database()) end, s.name)],
           format('sessions of %s would begin with %s = %s', roles.name, s.name, s.value),
           format('sessions of %s would no longer begin with %s = %s', roles.name, s.name, s.value), false, false
      from pg_db_role_setting d
      join roles on roles.oid = d.setrole
     cross join unnest(d.setconfig) as setting
     cross join lateral (select split_part(setting, '=', 1), substr(setting, strpos(setting, '=') + 1)) as s (name, value)
     where d.setdatabase = 0 or d.setdatabase = (select oid from pg_database where datname = current_database())

    union all
    select 40, 'owner', format('%s %s', class, name), pg_get_userbyid(owner), null, true,
           array['set local role none', format('alter %s %s owner to %I', class, name, pg_get_userbyid(owner))], null,
           format('%s %s would belong to %s', class, name, pg_get_userbyid(owner)), null, true, false
      from objects

    union all
    select 42, 'default privilege', format('%s on %s, for %s', privilege, what, grantee_name),
           case when is_grantable then 'held, and may be passed on' else 'held' end, null, false,
           array[format('set local role %I', maker),
                 format('%s grant %s on %s to %s%s', alter_default, lower(privilege), kind, grantee_name,
                        case when is_grantable then ' with grant option' end)],
           array[format('set local role %I', maker), format('%s revoke %s on %s from %s', alter_default, lower(privilege), kind, grantee_name)],
           format('%s would have %s on %s', grantee_name, privilege, what),
           format('%s would no longer have %s on %s', grantee_name, privilege, what), true, false
      from default_grants

    union all
    select step, 'grant', format('%s on %s %s, for %s', privilege, class, g.name, grantee),
           case when grantable then 'held, and may be passed on' else 'held' end || by_others, array['held, and may be passed on'], false,
           array[as_owner, format('grant %s on %s %s to %s%s', lower(privilege), class, g.name, grantee,
                                  case when grantable then ' with grant option' end)],
           array[as_owner, format('revoke %s on %s %s from %s cascade', lower(privilege), class, g.name, grantee)]
               -- which takes the grants of columns along
               || coalesce((select array_agg(format('grant %s (%s) on %s to %s', lower(privilege), c.col, c.name, c.grantee)
                                             order by c.col)
                              from column_grants c
                             where class = 'table' and c.name = g.name and c.grantee = g.grantee and c.privilege = g.privilege),
                           '{}'),
           format('%s could %s %s %s', grantee, coalesce(v.verb, privilege), class, g.name)
               || case when grantable then ', and let others' else '' end,
           format('%s could no longer %s %s %s', grantee, coalesce(v.verb, privilege), class, g.name)
               || case when grantable then ', nor let others' else '' end,
           true, false
      from grants g left join verbs v using (privilege)
    union all
    select 80, 'grant', format('%s on column %s.%s, for %s', privilege, name, col, grantee),
           case when grantable then 'held, and may be passed on' else 'held' end || by_others, array['held, and may be passed on'], false,
           array[as_owner, format('grant %s (%s) on %s to %s%s', lower(privilege), col, name, grantee,
                                  case when grantable then ' with grant option' end)],
           array[as_owner, format('revoke %s (%s) on %s from %s cascade', lower(privilege), col, name, grantee)],
           format('%s could %s column %s of %s', grantee, coalesce(v.verb, privilege), col, name)
               || case when grantable then ', and let others' else '' end,
           format('%s could no longer %s column %s of %s', grantee, coalesce(v.verb, privilege), col, name)
               || case when grantable then ', nor let others' else '' end,
           true, false
      from column_grants left join verbs v using (privilege)
    union all
    -- an owner has every right on what is its own, and foreign keys look things up by it
    select o.step, 'lost right', format('%s on %s %s, for its owner', a.privilege_type, o.class, o.name), 'revoked', null, false,
           array[o.as_owner, format('revoke %s on %s %s from %I', lower(a.privilege_type), o.class, o.name, pg_get_userbyid(o.owner))],
           array[o.as_owner, format('grant %s on %s %s to %I', lower(a.privilege_type), o.class, o.name, pg_get_userbyid(o.owner))],
           format('%s could no longer %s its own %s %s', pg_get_userbyid(o.owner), coalesce(v.verb, a.privilege_type), o.class, o.name),
           format('%s could %s its own %s %s', pg_get_userbyid(o.owner), coalesce(v.verb, a.privilege_type), o.class, o.name), false, true
      from objects o
     cross join aclexplode(o.standard) a
      left join verbs v on v.privilege = a.privilege_type
     where o.acl is not null and a.grantee = o.owner and a.privilege_type <> 'MAINTAIN'
       and not exists (select from aclexplode(o.acl) h where h.grantee = o.owner and h.privilege_type = a.privilege_type)

    union all
    -- its name with the parameters' names and the result, neither of which "or replace" can change
    select 50, 'function',
           format('%I.%I(%s)%s', r.schema, p.proname, pg_get_function_identity_arguments(r.oid), ' returns ' || pg_get_function_result(r.oid)),
           case when r.prokind <> 'a' then rtrim(pg_get_functiondef(r.oid), E'\n') else 'aggregate' end, null, true,
           case when r.prokind = 'a' then null
                when r.owner = r.schema_owner then array[r.as_owner, rtrim(pg_get_functiondef(r.oid), E'\n')]
                else array[r.as_schema_owner, format('grant usage, create on schema %I to %I', r.schema, r.owner_name),
                           r.as_owner, rtrim(pg_get_functiondef(r.oid), E'\n'),
                           r.as_schema_owner, format('revoke create on schema %I from %I', r.schema, r.owner_name)]
           end,
           array[r.as_owner, format('drop routine %s', r.name)],
           format('%s would be what this build defines, run as %s', r.name,
                  case when p.prosecdef then r.owner_name::text else 'its caller' end),
           format('%s would be no more', r.name), true, false
      from routines r join pg_proc p using (oid)

    union all
    select 60, 'table', r.name,
           format('%s of %s', case r.relkind when 'r' then 'table' when 'p' then 'partitioned table' when 'v' then 'view'
                                             when 'm' then 'materialized view' when 'f' then 'foreign table' else 'sequence' end,
                  (select string_agg(a.attname, ', ' order by a.attname) from pg_attribute a
                    where a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped)),
           null, true, null, null,
           format('this build has %s with other columns, or it is missing', r.name),
           format('%s is not known to this build: it gets no rights and no policies', r.name), false, false
      from relations r
    union all
    -- a foreign key without the owner in it lets rows of two landlords refer to one another
    select 61, 'constraint', format('%I on %s', c.conname, r.name), pg_get_constraintdef(c.oid), null, true, null, null,
           format('this build has the constraint %s on %s otherwise, or it is missing', c.conname, r.name),
           format('the constraint %s on %s is not known to this build', c.conname, r.name), false, false
      from pg_constraint c join relations r on r.oid = c.conrelid
     where c.contype in ('p', 'u', 'f', 'c', 'x')

    union all
    select 65, 'row security', name, 'not enabled', null, false,
           array[as_owner, format('alter table %s disable row level security', name)],
           array[as_owner, format('alter table %s enable row level security', name)],
           format('no policy would bind anybody on %s', name), format('policies would bind on %s', name), true, false
      from relations where relkind in ('r', 'p') and not relrowsecurity
    union all
    select 65, 'forced row security', name, 'not forced', null, false,
           array[as_owner, format('alter table %s no force row level security', name)],
           array[as_owner, format('alter table %s force row level security', name)],
           format('no policy would bind the owner of %s', name), format('policies would bind the owner of %s', name), true, false
      from relations where relkind in ('r', 'p') and not relforcerowsecurity

    union all
    -- unset is -1 up to PostgreSQL 16 and null from 17 on
    select 66, 'statistics', format('%s.%s', c.oid::regclass, a.attname), 'gathered', null, false,
           array[o.as_owner, format('alter %s %s alter column %s set statistics -1', t.word, c.oid::regclass, t.col)],
           array[o.as_owner, format('alter %s %s alter column %s set statistics 0', t.word, c.oid::regclass, t.col)],
           format('EXPLAIN would tell everybody about the values of %s.%s', c.oid::regclass, a.attname),
           format('no statistics would be gathered about the values of %s.%s', c.oid::regclass, a.attname), true, false
      from pg_class c
      left join pg_index i on i.indexrelid = c.oid
      join relations o on o.oid = coalesce(i.indrelid, c.oid)
      join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
     cross join lateral (select case when i.indexrelid is null then 'table' else 'index' end,
                                case when i.indexrelid is null then quote_ident(a.attname) else a.attnum::text end) as t (word, col)
     where o.schema = 'app' and coalesce(a.attstattarget, -1) <> 0
       and (c.relkind in ('r', 'p', 'm') or (c.relkind = 'i' and i.indkey[a.attnum - 1] = 0))
    union all
    select 67, 'statistics', format('%I.%I', n.nspname, e.stxname), pg_get_statisticsobjdef(e.oid), null, false,
           array[r.as_owner, pg_get_statisticsobjdef(e.oid)], array[r.as_owner, format('drop statistics %I.%I', n.nspname, e.stxname)],
           format('EXPLAIN would tell everybody how values of %s hang together', r.name),
           format('no statistics would be gathered about how values of %s hang together', r.name), true, false
      from pg_statistic_ext e
      join relations r on r.oid = e.stxrelid
      join pg_namespace n on n.oid = e.stxnamespace

    union all
    select 70, 'trigger', format('%I on %s', t.tgname, r.name), pg_get_triggerdef(t.oid), null, true,
           -- whoever creates a trigger has to have the right to call its function
           case when coalesce(has_function_privilege(r.owner, f.oid, 'execute'), true) then array[r.as_owner, replaced.definition]
                else array[f.as_owner, format('grant execute on function %s to %I', f.name, pg_get_userbyid(r.owner)),
                           r.as_owner, replaced.definition,
                           f.as_owner, format('revoke execute on function %s from %I', f.name, pg_get_userbyid(r.owner))]
           end,
           array[r.as_owner, format('drop trigger %I on %s', t.tgname, r.name)],
           format('the trigger %s on %s would be this build''s', t.tgname, r.name),
           format('the trigger %s on %s would be no more, with what it refuses or records', t.tgname, r.name), true, true
      from pg_trigger t
      join relations r on r.oid = t.tgrelid
     cross join lateral (select regexp_replace(pg_get_triggerdef(t.oid), '^CREATE TRIGGER', 'CREATE OR REPLACE TRIGGER')) as replaced (definition)
      left join routines f on f.oid = t.tgfoid
     where not t.tgisinternal
    union all
    select 75, 'trigger firing', format('%I on %s', t.tgname, r.name),
           case t.tgenabled when 'D' then 'disabled' when 'R' then 'only in replication' else 'also in replication' end, null, false,
           array[r.as_owner, format('alter table %s %s trigger %I', r.name,
                                    case t.tgenabled when 'D' then 'disable' when 'R' then 'enable replica' else 'enable always' end, t.tgname)],
           array[r.as_owner, format('alter table %s enable trigger %I', r.name, t.tgname)],
           format('the trigger %s on %s would not run as it ought to', t.tgname, r.name),
           format('the trigger %s on %s would run', t.tgname, r.name), true, false
      from pg_trigger t join relations r on r.oid = t.tgrelid
     where t.tgenabled <> 'O'
    union all
    select 70, 'rule', format('%I on %s', w.rulename, r.name), pg_get_ruledef(w.oid), null, false,
           array[r.as_owner, pg_get_ruledef(w.oid)], array[r.as_owner, format('drop rule %I on %s', w.rulename, r.name)],
           format('the rule %s on %s would rewrite what is asked of it', w.rulename, r.name),
           format('the rule %s on %s would rewrite nothing', w.rulename, r.name), true, true
      from pg_rewrite w join relations r on r.oid = w.ev_class
     where w.rulename <> '_RETURN'

    union all
    select 90, 'policy', format('%I on %s', polname, relation),
           concat(head, using_qual, with_check),
           array[concat(head, using_true, with_check_true), concat(head, using_true, with_check), concat(head, using_qual, with_check_true)],
           false,
           array[as_owner, concat(head, using_qual, with_check)],
           array[as_owner, format('drop policy %I on %s', polname, relation)],
           format(case when polpermissive then '%s could %s' else '%s could only %s, whatever else allows more' end, who.them, deed),
           format(case when polpermissive then '%s could no longer %s' else '%s would no longer be held to %s' end, who.them, deed),
           polpermissive, not polpermissive
      from policy_texts
     cross join lateral (select case grantees when 'public' then 'every role' else grantees end) as who (them)
)
select step, kind, object, fact, coalesce(widest, '{}') as widest, replaces, coalesce(make, '{}') as make, coalesce(unmake, '{}') as unmake,
       coalesce(made, '') as made, coalesce(unmade, '') as unmade, widens_made, widens_unmade
  from facts
 order by step, kind collate "C", object collate "C";
