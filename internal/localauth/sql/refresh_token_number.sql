select nextval('auth.refresh_tokens_id_seq');
