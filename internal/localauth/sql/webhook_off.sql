drop trigger if exists queue_webhook on auth.users;
drop function if exists auth.queue_webhook();
drop table if exists auth.webhook_requests;
