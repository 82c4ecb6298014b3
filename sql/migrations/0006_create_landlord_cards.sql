-- +goose Up
-- What a landlord's tenants may know of them: the card they call by. A copy of
-- a few columns of users, kept by a trigger, so that users stays closed to
-- everybody but its owner.
--
-- Locks: creates new objects; the trigger on users waits for writers of it.

create table app.landlord_cards (
    owner_user_id uuid primary key references app.users (id),
    name          text,
    company_name  text,
    email         text,
    phone         text,
    updated_at    timestamptz not null default now()
);


create trigger keep_landlord_card after insert or update of full_name, company_name, email, phone on app.users
    for each row execute function app.keep_landlord_card();

-- those who have a profile already; the owner is under the policies too
alter table app.users no force row level security;
insert into app.landlord_cards (owner_user_id, name, company_name, email, phone)
select id, full_name, company_name, email, phone from app.users;
alter table app.users force row level security;

alter table app.landlord_cards enable row level security;
alter table app.landlord_cards force row level security;
