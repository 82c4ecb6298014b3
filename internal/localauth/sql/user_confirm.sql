update auth.users
set email_confirmed_at = @now,
    raw_user_meta_data = raw_user_meta_data || '{"email_verified": true}',
    updated_at = @now
where id = @id and email_confirmed_at is null;
