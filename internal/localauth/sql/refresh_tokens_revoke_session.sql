update auth.refresh_tokens set revoked = true, updated_at = @now where session_id = @session_id and not revoked;
