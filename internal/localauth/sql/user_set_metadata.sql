update auth.users set raw_user_meta_data = @user_metadata, updated_at = @now where id = @id;
