update auth.users set encrypted_password = @password, updated_at = @now where id = @id;
