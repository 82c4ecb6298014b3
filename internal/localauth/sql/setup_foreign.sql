-- Supabase's own migrations leave this table; the stand-in never does.
select to_regclass('auth.schema_migrations') is not null;
