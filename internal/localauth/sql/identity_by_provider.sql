select user_id from auth.identities where provider = @provider and provider_id = @sub;
