select id, count(*) over () as total
from auth.users
where aud = @aud and deleted_at is null
  and (@filter = '' or email like '%' || @filter || '%' or raw_user_meta_data ->> 'full_name' ilike '%' || @filter || '%')
order by created_at desc, id
limit @limit offset @offset;
