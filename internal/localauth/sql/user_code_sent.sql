update auth.users
set confirmation_sent_at = case when @token_type = 'confirmation_token' then @now else confirmation_sent_at end,
    recovery_sent_at = case when @token_type = 'recovery_token' then @now else recovery_sent_at end,
    updated_at = @now
where id = @id;
