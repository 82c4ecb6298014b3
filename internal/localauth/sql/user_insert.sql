insert into auth.users (id, aud, role, email, encrypted_password, raw_app_meta_data, raw_user_meta_data, created_at, updated_at)
values (@id, @aud, '', @email, @password, @app_metadata, @user_metadata, @now, @now);
