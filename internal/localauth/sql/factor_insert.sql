insert into auth.mfa_factors (id, user_id, friendly_name, factor_type, status, secret, created_at, updated_at)
values (@id, @user_id, @friendly_name, 'totp', 'unverified', @secret, @now, @now);
