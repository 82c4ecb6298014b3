select host(ip_address) as ip, created_at, verified_at
from auth.mfa_challenges
where id = @id and factor_id = @factor_id;
