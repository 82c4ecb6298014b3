update auth.users
set role = coalesce(nullif(@role, ''), role),
    email = coalesce(nullif(@email, ''), email),
    raw_app_meta_data = @app_metadata,
    banned_until = case when @ban::boolean then @banned_until::timestamptz else banned_until end,
    updated_at = @now
where id = @id;
