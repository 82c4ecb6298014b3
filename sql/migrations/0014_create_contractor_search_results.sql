-- +goose Up
-- What a search for contractors found for a ticket, until it expires.
--
-- Locks: creates new objects only.

create table app.contractor_search_results (
    owner_user_id     uuid not null default app.current_user_id() references app.users (id),
    id                uuid not null default gen_random_uuid(),
    ticket_id         uuid not null,
    provider          text not null check (char_length(provider) between 1 and 50),
    provider_place_id text not null check (char_length(provider_place_id) between 1 and 200),
    name              text not null check (char_length(name) between 1 and 200),
    trade             text not null,
    phone             text check (char_length(phone) <= 50),
    website           text check (char_length(website) <= 500),
    address           text check (char_length(address) <= 500),
    distance_m        integer check (distance_m >= 0),
    rating            numeric(2, 1),
    rating_count      integer,
    fetched_at        timestamptz not null default now(),
    expires_at        timestamptz not null,
    updated_at        timestamptz not null default now(),

    primary key (owner_user_id, id),
    constraint contractor_search_results_ticket_fkey foreign key (owner_user_id, ticket_id)
        references app.tickets (owner_user_id, id) on delete cascade
);

create unique index contractor_search_results_place_key
    on app.contractor_search_results (owner_user_id, ticket_id, provider, provider_place_id);
create index contractor_search_results_ticket_idx on app.contractor_search_results (owner_user_id, ticket_id, updated_at);

alter table app.contractor_search_results enable row level security;
alter table app.contractor_search_results force row level security;
