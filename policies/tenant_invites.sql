-- tenant_invites: a landlord has their own, but not the tokens' hashes back; who
-- holds a token sees that invite, and may claim it when signed in with its
-- address, proven.
--
--            rowhouse_landlord   rowhouse_user                              rowhouse_remover
--   select   own                 the one whose token they hold              own
--   insert   own
--   update   own (not who)       that it is claimed, once, by themselves
--   delete                                                                  own, with its tenant (app.delete_tenant)
--
-- rowhouse_support reads those of the landlord who lets it see tenants.

alter table app.tenant_invites enable row level security;
alter table app.tenant_invites force row level security;

grant select (owner_user_id, id, tenant_id, unit_id, email, landlord_name, unit_label, expires_at, send_count, sent_at,
              last_error, mail_id, mail_key, mail_state, claimed_at, claimed_by_user_id, revoked_at, version, created_by, created_at, updated_at) on app.tenant_invites to rowhouse_landlord, rowhouse_support;
grant insert (tenant_id, unit_id, email, token_hash, landlord_name, unit_label, expires_at, mail_id, mail_key) on app.tenant_invites to rowhouse_landlord;
grant update (unit_id, email, token_hash, expires_at, sent_at, last_error, mail_id, mail_key, mail_state, revoked_at, landlord_name, unit_label) on app.tenant_invites to rowhouse_landlord;
grant select (owner_user_id, id, tenant_id, email, landlord_name, unit_label, expires_at, claimed_at, claimed_by_user_id,
              revoked_at) on app.tenant_invites to rowhouse_user;
grant update (claimed_at, claimed_by_user_id) on app.tenant_invites to rowhouse_user;
grant select (owner_user_id, tenant_id, token_hash, claimed_by_user_id) on app.tenant_invites to rowhouse_clerk;
grant select (owner_user_id, id, tenant_id, unit_id), delete on app.tenant_invites to rowhouse_remover;

create policy boundary_all_tenant_invites on app.tenant_invites as restrictive to public
    using (coalesce(owner_user_id = (select app.current_user_id()), false)
        or token_hash = (select app.invite_hash())
        or owner_user_id = (select app.supported_landlord_id('{tenants}')))
    with check (coalesce(owner_user_id = (select app.current_user_id()), false)
        or token_hash = (select app.invite_hash()));

create policy landlord_select_tenant_invites on app.tenant_invites for select to rowhouse_landlord
    using (owner_user_id = (select app.current_user_id()));

create policy landlord_insert_tenant_invites on app.tenant_invites for insert to rowhouse_landlord
    with check (owner_user_id = (select app.current_user_id()));

create policy landlord_update_tenant_invites on app.tenant_invites for update to rowhouse_landlord
    using (owner_user_id = (select app.current_user_id()))
    with check (owner_user_id = (select app.current_user_id()));

create policy remover_select_tenant_invites on app.tenant_invites for select to rowhouse_remover
    using (owner_user_id = (select app.current_user_id()));

create policy remover_delete_tenant_invites on app.tenant_invites for delete to rowhouse_remover
    using (owner_user_id = (select app.current_user_id()));

create policy user_select_tenant_invites on app.tenant_invites for select to rowhouse_user
    using (token_hash = (select app.invite_hash()));

create policy user_update_tenant_invites on app.tenant_invites for update to rowhouse_user
    using (token_hash = (select app.invite_hash())
           and claimed_at is null and revoked_at is null and expires_at > now()
           and email = lower((select current_setting('app.user_email', true))))
    with check (token_hash = (select app.invite_hash()) and claimed_by_user_id = (select app.current_user_id()));

create policy clerk_select_tenant_invites on app.tenant_invites for select to rowhouse_clerk
    using (token_hash = (select app.invite_hash()));

create policy support_select_tenant_invites on app.tenant_invites for select to rowhouse_support
    using (owner_user_id = (select app.supported_landlord_id('{tenants}')));
