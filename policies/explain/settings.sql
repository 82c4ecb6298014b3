-- The planner is to choose as it does for the server's login. Its time limits stay
-- out: what takes too long is to be seen.
select set_config(split_part(setting, '=', 1), substr(setting, strpos(setting, '=') + 1), false)
  from pg_db_role_setting d cross join unnest(d.setconfig) setting
 where d.setrole = 'rowhouse_api'::regrole and split_part(setting, '=', 1) !~ 'timeout$';
