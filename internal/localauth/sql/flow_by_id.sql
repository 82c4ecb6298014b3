select id, coalesce(user_id, '00000000-0000-0000-0000-000000000000') as user_id,
       coalesce(code_challenge_method::text, '') as code_challenge_method, coalesce(code_challenge, '') as code_challenge,
       coalesce(auth_code, '') as auth_code, provider_type, authentication_method, referrer,
       provider_access_token, provider_refresh_token, auth_code_issued_at, created_at
from auth.flow_state
where id = @id;
