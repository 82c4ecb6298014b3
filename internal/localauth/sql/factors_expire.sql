delete from auth.mfa_factors f
where f.status = 'unverified'
  and f.created_at < @before
  and not exists (select from auth.mfa_challenges c where c.factor_id = f.id);
