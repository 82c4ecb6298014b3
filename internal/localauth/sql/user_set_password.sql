-- A new password voids what was mailed for the old one.
update auth.users
set encrypted_password = @password, confirmation_sent_at = null, recovery_sent_at = null, email_change_sent_at = null,
    reauthentication_sent_at = null, updated_at = @now
where id = @id;
