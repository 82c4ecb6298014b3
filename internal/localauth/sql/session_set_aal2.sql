update auth.sessions set aal = 'aal2', factor_id = @factor_id, updated_at = @now where id = @id;
