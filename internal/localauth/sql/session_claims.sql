select authentication_method as method, extract(epoch from updated_at)::bigint as timestamp
from auth.mfa_amr_claims
where session_id = @session_id
order by updated_at desc;
