select id, token, coalesce(parent, '') as parent, revoked, updated_at, session_id
from auth.refresh_tokens
where session_id = @session_id and not revoked
order by id desc
limit 1;
