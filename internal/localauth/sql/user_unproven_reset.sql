-- Whoever signed up with the address before did not prove it: neither the
-- password nor the metadata of that sign-up stay.
update auth.users set encrypted_password = '', raw_user_meta_data = @user_metadata, updated_at = @now where id = @id;
