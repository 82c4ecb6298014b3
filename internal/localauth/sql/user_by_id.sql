select id, aud, role, coalesce(email, '') as email, encrypted_password, email_confirmed_at, invited_at, confirmation_sent_at,
       recovery_sent_at, email_change, email_change_sent_at, email_change_confirm_status, reauthentication_sent_at,
       last_sign_in_at, raw_app_meta_data, raw_user_meta_data, created_at, updated_at,
       coalesce(phone, '') as phone, confirmed_at, banned_until, is_anonymous
from auth.users
where id = @id and deleted_at is null;
