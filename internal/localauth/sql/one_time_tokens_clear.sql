delete from auth.one_time_tokens where user_id = @user_id;
