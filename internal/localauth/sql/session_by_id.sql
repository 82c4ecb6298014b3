select aal::text, created_at from auth.sessions where id = @id;
