insert into auth.refresh_tokens (id, token, user_id, created_at, updated_at, parent, session_id)
values (@id, @token, @user_id::uuid::text, @now, @now, @parent, @session_id);
