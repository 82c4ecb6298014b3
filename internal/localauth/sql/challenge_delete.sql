delete from auth.mfa_challenges where id = @id;
