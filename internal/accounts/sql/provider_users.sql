-- The provider's users after an id, in the order of ids, each as of now.
select u.id, coalesce(u.email, ''), coalesce(u.raw_user_meta_data ->> 'full_name', ''), u.deleted_at, now(),
       coalesce(u.aud, '') = 'authenticated' and not coalesce(u.is_anonymous, false)
  from auth.users u
 where u.id > $1
 order by u.id
 limit $2
