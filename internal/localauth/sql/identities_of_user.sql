select id as identity_id, provider_id, user_id, identity_data, provider, last_sign_in_at, created_at, updated_at,
       coalesce(email, '') as email
from auth.identities
where user_id = @user_id
order by created_at, id;
