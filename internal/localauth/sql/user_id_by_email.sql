select id
from auth.users
where email = @email and aud = @aud and not is_sso_user and deleted_at is null;
