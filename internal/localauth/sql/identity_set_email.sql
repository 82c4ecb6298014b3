update auth.identities
set identity_data = identity_data || jsonb_build_object('email', @email::text, 'email_verified', true), updated_at = @now
where user_id = @user_id and provider = 'email';
