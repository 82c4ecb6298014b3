-- The row stays for its id; the address is free again and nothing of the person
-- is left.
with others as (
    update auth.identities
    set identity_data = '{}', provider_id = encode(sha256(convert_to(user_id || provider || ':' || provider_id, 'UTF8')), 'hex'), updated_at = @now
    where user_id = @id
), sessions as (
    delete from auth.sessions where user_id = @id
), codes as (
    delete from auth.one_time_tokens where user_id = @id
), factors as (
    delete from auth.mfa_factors where user_id = @id
)
update auth.users
set email = encode(sha256(convert_to(id || coalesce(email, ''), 'UTF8')), 'hex'), email_change = '', encrypted_password = '',
    raw_app_meta_data = '{}', raw_user_meta_data = '{}', deleted_at = @now, updated_at = @now
where id = @id;
