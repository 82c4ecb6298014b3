delete from auth.users where id = @id;
