-- Read by sqlc only, which cannot run policies/cluster.sql: the schemas exist.
create schema app;
create schema app_private;
