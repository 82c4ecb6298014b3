delete from auth.identities where user_id = @user_id and not (provider = @provider and provider_id = @sub);
