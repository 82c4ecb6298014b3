-- Takes every policy and every grant off the schemas, so that what the other
-- files say is the whole truth, whatever was changed by hand. Runs in the same
-- transaction as they do: nobody sees the moment in between.
do $$
declare
    item record;
begin
    for item in
        select p.polname, p.polrelid::regclass as relation
          from pg_policy p join pg_class c on c.oid = p.polrelid
         where c.relnamespace in ('app'::regnamespace, 'app_private'::regnamespace, 'river'::regnamespace)
    loop
        execute format('drop policy %I on %s', item.polname, item.relation);
    end loop;

    -- a revoke on a table takes the column grants with it
    for item in
        select distinct c.oid::regclass as relation, a.grantee
          from pg_class c
          cross join lateral (
              select x.grantee from aclexplode(c.relacl) x
              union
              select x.grantee from pg_attribute t cross join aclexplode(t.attacl) x where t.attrelid = c.oid
          ) a
         where c.relnamespace in ('app'::regnamespace, 'app_private'::regnamespace, 'river'::regnamespace)
           and c.relkind in ('r', 'p', 'v', 'm', 'S', 'f') and a.grantee <> c.relowner
    loop
        execute format('revoke all on %s from %s cascade', item.relation,
                       case item.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(item.grantee)) end);
    end loop;

    -- as the owner of each: rowhouse_remover's functions are its own
    for item in
        select distinct p.oid::regprocedure as signature, p.proowner, a.grantee
          from pg_proc p cross join aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
         where p.pronamespace in ('app'::regnamespace, 'app_private'::regnamespace, 'river'::regnamespace) and a.grantee <> p.proowner
    loop
        execute format('set local role %I', pg_get_userbyid(item.proowner));
        execute format('revoke all on function %s from %s cascade', item.signature,
                       case item.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(item.grantee)) end);
        set local role rowhouse_owner;
    end loop;

    -- last: the owners above have to look inside
    for item in
        select distinct n.nspname, a.grantee
          from pg_namespace n cross join aclexplode(n.nspacl) a
         where n.nspname in ('app', 'app_private', 'river') and a.grantee <> n.nspowner
    loop
        execute format('revoke all on schema %I from %s cascade', item.nspname,
                       case item.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(item.grantee)) end);
    end loop;
end
$$;
