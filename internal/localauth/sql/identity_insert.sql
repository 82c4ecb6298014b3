insert into auth.identities (id, provider_id, user_id, identity_data, provider, last_sign_in_at, created_at, updated_at)
values (@id, @identity_data::jsonb ->> 'sub', @user_id, @identity_data, @provider, @now, @now, @now);
