-- Deleting is what makes a code work once, also for two callers at a time. With
-- an email, the code has to be of that address.
delete from auth.one_time_tokens t
using auth.users u
where u.id = t.user_id
  and t.token_hash = any (@token_hashes)
  and t.token_type::text = any (@token_types)
  and (@email = '' or (t.relates_to = @email and u.aud = @aud))
returning t.user_id, t.token_type::text, t.created_at;
