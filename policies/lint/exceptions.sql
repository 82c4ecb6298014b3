-- Findings that are meant to be, each with the reason. Whatever stands here and is
-- found no longer is itself a finding, RH000.
select id, object, reason
  from (values
    ('RH001', 'app_private.goose_db_version', 'the migrations'' journal: no landlord''s data, and nobody but rowhouse_owner has any right'),
    ('RH002', 'app_private.goose_db_version', 'forced, it would stop migrations, which run with row_security off'),
    ('RH005', 'app_private.goose_db_version', 'made by the migrations'' library, with no rule to write'),
    ('RH004', 'app_private.seal_keys', 'nobody''s rows: one policy for rowhouse_owner, and no other role has any right'),
    ('RH102', 'policy owner_all_seal_keys on app_private.seal_keys', 'app.current_user_id reads the keys to find out who the caller is'),
    ('RH103', 'policy owner_all_seal_keys on app_private.seal_keys', 'rowhouse migrate registers the keys before there is a caller'),
    ('RH107', 'policy user_select_tenants on app.tenants', 'whoever accepts an invite: the statement names the landlord, whose index it reads'),
    ('RH107', 'policy user_update_tenants on app.tenants', 'likewise'),
    ('RH201', 'river.river_job_state_in_bitmask(bit,river.river_job_state)', 'River''s own, within an index: it names nothing that a search path could find'),
    ('RH203', 'river.river_job_state_in_bitmask(bit,river.river_job_state) to rowhouse_worker', 'the index asks for it whenever a job changes its state'),
    ('RH302', 'river.river_job to rowhouse_worker', 'the queue is the worker''s own, and holds ids alone'),
    ('RH302', 'river.river_job_id_seq to rowhouse_worker', 'likewise'),
    ('RH302', 'river.river_leader to rowhouse_worker', 'likewise'),
    ('RH302', 'river.river_migration to rowhouse_worker', 'likewise'),
    ('RH302', 'river.river_notification to rowhouse_worker', 'likewise'),
    ('RH302', 'river.river_notification_id_seq to rowhouse_worker', 'likewise'),
    ('RH302', 'river.river_queue to rowhouse_worker', 'likewise'),
    ('RH304', 'app.attachments to rowhouse_landlord', 'the server makes the id before the file is stored under it; the key is led by the owner, so it collides with nobody else''s')
  ) as declared (id, object, reason)
