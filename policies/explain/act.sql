-- Becomes a role on behalf of somebody, for the transaction: the role, the id, its
-- seal, and what else a caller may hold.
select set_config('role', $1, true), set_config('app.user_id', $2, true), set_config('app.user_seal', $3, true),
       set_config('app.invite_hash', $4, true), set_config('app.user_email', $5, true),
       set_config('app.support_access', $6, true);
