delete from auth.mfa_factors where id = @id and user_id = @user_id;
