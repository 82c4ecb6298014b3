-- Our roles, as the login that asks stands to them.
--
--   persona   the login may become it
--   login     somebody can sign in as it
select rolname::text as name,
       pg_has_role(session_user, oid, 'MEMBER') and rolname <> session_user as persona,
       rolcanlogin as login
  from pg_roles
 where rolname like 'rowhouse\_%'
 order by rolname collate "C";
