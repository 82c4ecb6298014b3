select id, status::text, friendly_name, factor_type::text, coalesce(secret, '') as secret, coalesce(phone, '') as phone,
       last_challenged_at, created_at, updated_at
from auth.mfa_factors
where user_id = @user_id
order by created_at, id;
