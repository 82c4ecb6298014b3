update auth.users
set email = email_change, email_change = '', email_change_confirm_status = 0, updated_at = @now
where id = @id;
