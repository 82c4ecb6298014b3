-- contractor_search_results: a landlord's own, per ticket, until they expire.
--
--            rowhouse_landlord   rowhouse_remover
--   select   own                 own
--   insert   own
--   update   own
--   delete                       own (app.forget_search_results)

alter table app.contractor_search_results enable row level security;
alter table app.contractor_search_results force row level security;

grant select on app.contractor_search_results to rowhouse_landlord;
grant insert (ticket_id, provider, provider_place_id, name, trade, phone, website, address, distance_m, rating, rating_count,
              fetched_at, expires_at) on app.contractor_search_results to rowhouse_landlord;
grant update (name, trade, phone, website, address, distance_m, rating, rating_count, fetched_at, expires_at, updated_at) on app.contractor_search_results to rowhouse_landlord;
grant select, delete on app.contractor_search_results to rowhouse_remover;

create policy boundary_all_contractor_search_results on app.contractor_search_results as restrictive to public
    using (owner_user_id = (select app.current_user_id()))
    with check (owner_user_id = (select app.current_user_id()));

create policy landlord_select_contractor_search_results on app.contractor_search_results for select to rowhouse_landlord
    using (owner_user_id = (select app.current_user_id()));

create policy landlord_insert_contractor_search_results on app.contractor_search_results for insert to rowhouse_landlord
    with check (owner_user_id = (select app.current_user_id()));

create policy landlord_update_contractor_search_results on app.contractor_search_results for update to rowhouse_landlord
    using (owner_user_id = (select app.current_user_id()))
    with check (owner_user_id = (select app.current_user_id()));

create policy remover_select_contractor_search_results on app.contractor_search_results for select to rowhouse_remover
    using (owner_user_id = (select app.current_user_id()));

create policy remover_delete_contractor_search_results on app.contractor_search_results for delete to rowhouse_remover
    using (owner_user_id = (select app.current_user_id()));

set local role rowhouse_remover;
grant execute on function app.forget_search_results(uuid) to rowhouse_landlord;
set local role rowhouse_owner;
