-- DISCARD ALL would do more, and also drop the prepared statements that pgx
-- keeps. RESET ALL alone would keep the role.
close all;
reset session authorization;
reset role;
reset all;
unlisten *;
select pg_catalog.pg_advisory_unlock_all();
discard temp;
discard sequences;
