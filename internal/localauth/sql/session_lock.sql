select user_id from auth.sessions where id = @id for update;
