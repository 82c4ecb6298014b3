select exists (select from auth.users
               where email = @email and aud = @aud and id <> @except and not is_sso_user and deleted_at is null)
    or exists (select from auth.identities i join auth.users u on u.id = i.user_id
               where i.email = @email and u.aud = @aud and u.id <> @except and u.deleted_at is null);
