insert into auth.flow_state (id, user_id, auth_code, code_challenge_method, code_challenge, provider_type,
                             authentication_method, referrer, created_at, updated_at)
values (@id, @user_id, @auth_code, @method::auth.code_challenge_method, @challenge, @provider, @authentication_method,
        @referrer, @now, @now);
