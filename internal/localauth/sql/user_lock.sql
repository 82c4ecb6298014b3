select from auth.users where id = @id for update;
