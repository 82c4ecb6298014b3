-- Nothing for a state that was used before.
update auth.flow_state
set user_id = @user_id, provider_access_token = @access_token, provider_refresh_token = @refresh_token,
    auth_code_issued_at = @now, updated_at = @now
where id = @id and user_id is null;
