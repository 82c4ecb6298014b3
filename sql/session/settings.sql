select set_config('role', $1, true), set_config('app.user_id', $2, true),
       set_config('app.user_seal', $3, true), set_config('app.request_id', $4, true),
       set_config('app.invite_hash', $5, true), set_config('app.user_email', $6, true),
       set_config('app.support_access', $7, true), set_config('plan_cache_mode', $8, true),
       set_config('app.user_aal', $9, true)
