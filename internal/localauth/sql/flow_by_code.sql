select id, user_id, code_challenge_method::text, code_challenge, auth_code, provider_type, authentication_method, referrer,
       provider_access_token, provider_refresh_token, auth_code_issued_at, created_at
from auth.flow_state
where auth_code = @auth_code and user_id is not null
for update;
