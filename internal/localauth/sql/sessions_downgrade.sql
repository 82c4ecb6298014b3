with downgraded as (
    update auth.sessions set aal = 'aal1', factor_id = null, updated_at = @now
    where user_id = @user_id and factor_id = @factor_id
    returning id
)
delete from auth.mfa_amr_claims c
using downgraded d
where c.session_id = d.id and c.authentication_method = 'totp';
