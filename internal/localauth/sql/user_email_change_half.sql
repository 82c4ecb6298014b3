update auth.users set email_change_confirm_status = 1, updated_at = @now where id = @id;
