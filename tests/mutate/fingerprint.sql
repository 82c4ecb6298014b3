-- One text that differs whenever the catalog says something else about who may do
-- what. Texts as Postgres prints them, because stored trees hold positions too.
select md5(string_agg(part, '|' order by part))
  from (
    select md5(string_agg(p::text, ',' order by schemaname, tablename, policyname)) from pg_policies p
    union all
    select md5(string_agg(concat_ws(' ', c.oid, relname, relkind, relowner, relacl, relrowsecurity, relforcerowsecurity, relispartition, relhassubclass, relhasrules), ',' order by c.oid))
      from pg_class c where relkind <> 't' and relnamespace <> 'pg_catalog'::regnamespace
    union all
    select md5(string_agg(concat_ws(' ', attrelid, attname, attnotnull, attacl, attstattarget, pg_get_expr(adbin, adrelid)), ',' order by attrelid, a.attnum))
      from pg_attribute a left join pg_attrdef d on adrelid = attrelid and adnum = attnum
     where attrelid in (select oid from pg_class where relnamespace in ('app'::regnamespace, 'app_private'::regnamespace))
    union all
    select md5(string_agg(concat_ws(' ', conrelid, conname, pg_get_constraintdef(oid)), ',' order by conrelid, conname)) from pg_constraint where oid >= 16384
    union all
    select md5(string_agg(concat_ws(' ', indexrelid, pg_get_indexdef(indexrelid)), ',' order by indexrelid)) from pg_index where indexrelid >= 16384
    union all
    select md5(string_agg(concat_ws(' ', oid, proowner, proacl, provolatile, prosecdef, proleakproof, proparallel, proconfig, case when pronamespace <> 'pg_catalog'::regnamespace then prosrc end), ',' order by oid))
      from pg_proc where pronamespace <> 'pg_catalog'::regnamespace or proacl is not null
    union all
    select md5(string_agg(concat_ws(' ', oid, tgenabled, tgname), ',' order by oid)) from pg_trigger where not tgisinternal
    union all
    select md5(string_agg(concat_ws(' ', oid, rolname, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication, rolbypassrls), ',' order by oid)) from pg_roles
    union all
    select md5(string_agg(concat_ws(' ', roleid, member, admin_option), ',' order by roleid, member, grantor)) from pg_auth_members
    union all
    select md5(string_agg(concat_ws(' ', setrole, setdatabase, setting), ',' order by setrole, setdatabase, setting))
      from pg_db_role_setting cross join unnest(setconfig) as setting
    union all
    select md5(string_agg(concat_ws(' ', oid, nspname, nspacl, nspowner), ',' order by oid)) from pg_namespace where nspname !~ '^pg_(temp|toast)'
    union all
    select md5(string_agg(concat_ws(' ', defaclrole, defaclnamespace, defaclobjtype, defaclacl), ',' order by oid)) from pg_default_acl
    union all
    select md5(string_agg(concat_ws(' ', oid, datacl), ',' order by oid)) from pg_database where datname = current_database()
    union all
    select md5(concat_ws(' ', (select count(*) from pg_publication), (select count(*) from pg_event_trigger), (select count(*) from pg_rewrite),
                         (select count(*) from pg_extension), (select count(*) from pg_statistic_ext), (select count(*) from pg_type),
                         (select count(*) from pg_operator), (select count(*) from pg_cast), (select count(*) from pg_largeobject_metadata),
                         (select count(*) from pg_foreign_data_wrapper)))
  ) parts (part)
