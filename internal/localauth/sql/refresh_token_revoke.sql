-- updated_at is the time of the first revocation: the reuse interval counts from it.
update auth.refresh_tokens set revoked = true, updated_at = @now where id = @id and not revoked;
