select id, token, coalesce(parent, '') as parent, revoked, updated_at, session_id
from auth.refresh_tokens
where token = @token;
