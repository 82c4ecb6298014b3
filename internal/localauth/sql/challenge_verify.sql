-- Nothing for who comes second.
update auth.mfa_challenges set verified_at = @now where id = @id and verified_at is null;
