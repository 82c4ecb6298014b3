update auth.identities i
set identity_data = i.identity_data || '{"email_verified": true}', updated_at = @now
from auth.users u
where i.user_id = @user_id and u.id = i.user_id and i.email = u.email;
