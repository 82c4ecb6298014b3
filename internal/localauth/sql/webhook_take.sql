-- Taken before they are sent: what gets lost on the way is not sent again.
with taken as (
    delete from auth.webhook_requests
    where id in (select id from auth.webhook_requests order by id limit 100 for update skip locked)
    returning id, body
)
select body::text from taken order by id;
