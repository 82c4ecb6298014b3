update auth.users
set confirmation_sent_at = case when @action in ('signup', 'invite') then @now else confirmation_sent_at end,
    invited_at = case when @action = 'invite' then @now else invited_at end,
    recovery_sent_at = case when @action in ('recovery', 'magiclink') then @now else recovery_sent_at end,
    reauthentication_sent_at = case when @action = 'reauthentication' then @now else reauthentication_sent_at end,
    updated_at = @now
where id = @id;
