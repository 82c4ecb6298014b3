select exists (select from auth.one_time_tokens
               where user_id = @user_id and token_type::text = @token_type and token_hash = @token_hash and created_at >= @since);
