insert into auth.one_time_tokens (id, user_id, token_type, token_hash, relates_to, created_at, updated_at)
values (@id, @user_id, @token_type, @token_hash, @email, @now, @now)
on conflict (user_id, token_type) do update
set token_hash = excluded.token_hash, created_at = excluded.created_at, updated_at = excluded.updated_at;
