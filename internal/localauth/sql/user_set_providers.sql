-- The first provider is the one that the user came with.
update auth.users
set raw_app_meta_data = raw_app_meta_data || (
        select jsonb_build_object('provider', min(provider) filter (where n = 1), 'providers', jsonb_agg(provider order by n))
        from (select provider, row_number() over (order by min(created_at)) as n
              from auth.identities
              where user_id = @id
              group by provider) p),
    updated_at = @now
where id = @id
  and exists (select from auth.identities where user_id = @id);
