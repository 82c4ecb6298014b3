with challenged as (
    update auth.mfa_factors set last_challenged_at = @now where id = @factor_id
)
insert into auth.mfa_challenges (id, factor_id, ip_address, created_at)
values (@id, @factor_id, @ip, @now);
