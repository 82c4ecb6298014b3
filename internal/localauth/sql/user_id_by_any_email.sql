select u.id
from auth.users u
where u.deleted_at is null and not u.is_sso_user
  and (u.email = @email or exists (select from auth.identities i where i.user_id = u.id and i.email = @email))
order by u.email = @email desc
limit 1;
