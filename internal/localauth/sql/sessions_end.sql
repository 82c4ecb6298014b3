delete from auth.sessions
where user_id = @user_id
  and case @scope when 'global' then true when 'local' then id = @id when 'others' then id <> @id end;
