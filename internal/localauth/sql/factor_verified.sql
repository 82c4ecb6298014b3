-- Verifying one factor takes the unverified ones of its kind away.
with verified as (
    update auth.mfa_factors set status = 'verified', updated_at = @now where id = @id returning user_id, factor_type
)
delete from auth.mfa_factors f
using verified v
where f.user_id = v.user_id and f.factor_type = v.factor_type and f.status = 'unverified' and f.id <> @id;
