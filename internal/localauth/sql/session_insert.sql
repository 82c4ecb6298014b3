insert into auth.sessions (id, user_id, created_at, updated_at, aal, user_agent, ip)
values (@id, @user_id, @now, @now, 'aal1', @user_agent, @ip);
