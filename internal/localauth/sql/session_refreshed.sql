update auth.sessions
set refreshed_at = @now::timestamptz at time zone 'UTC', updated_at = @now
where id = @id;
