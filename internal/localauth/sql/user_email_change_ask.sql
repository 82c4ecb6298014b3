update auth.users
set email_change = @email, email_change_sent_at = @now, email_change_confirm_status = 0, updated_at = @now
where id = @id;
