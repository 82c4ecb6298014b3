delete from auth.sessions where user_id = @user_id and aal < 'aal2';
