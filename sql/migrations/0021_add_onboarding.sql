-- +goose Up
-- How far somebody has come in setting up, what they say of themselves there, and
-- whether they ask for a second factor before anything is destroyed. Who is here
-- already has done all of it: the defaults are theirs first, and then those of
-- newcomers, so that no row is written.
--
-- Locks: the new columns have constant defaults and rewrite nothing; their checks read
-- users once.

alter table app.users
    -- 1 says who they are, 2 how many units, 3 units, 4 tenants, 5 invites; 6 is done
    add column onboarding_step smallint not null default 6 check (onboarding_step between 1 and 6),
    add column onboarding_completed boolean not null default true, -- kept by app.guard_user
    add column signed_up_as text not null default 'OWNER' check (signed_up_as in ('OWNER', 'TENANT')),
    add column country text check (country ~ '^[A-Z]{2}$'),
    add column planned_units integer check (planned_units between 1 and 100000),
    add column require_aal2 boolean not null default false;

alter table app.users
    alter column onboarding_step set default 1,
    alter column onboarding_completed set default false;
