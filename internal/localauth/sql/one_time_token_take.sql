-- Deleting is what makes a code work once, also for two callers at a time.
delete from auth.one_time_tokens
where token_hash = @token_hash
  and token_type::text = any (@token_types)
  and (@user_id::uuid is null or user_id = @user_id)
returning user_id, token_type::text, created_at;
