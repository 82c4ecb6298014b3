update auth.identities
set identity_data = @identity_data, last_sign_in_at = @now, updated_at = @now
where provider = @provider and provider_id = @identity_data::jsonb ->> 'sub';
