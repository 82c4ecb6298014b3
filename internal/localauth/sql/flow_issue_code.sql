-- The newest flow of its kind: an older mail's link yields the newer flow's code.
update auth.flow_state
set auth_code_issued_at = @now, updated_at = @now
where id = (select id
            from auth.flow_state
            where user_id = @user_id and authentication_method = @authentication_method
            order by created_at desc, id desc
            limit 1)
  and auth_code is not null
returning auth_code;
