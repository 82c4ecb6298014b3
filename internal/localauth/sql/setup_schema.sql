-- Names and types follow the tables of Supabase Auth; only the columns that the
-- stand-in uses are here. Row level security without a policy shows the rows to
-- their owner and to nobody else, whatever is granted by mistake.
create schema if not exists auth authorization supabase_auth_admin;

set local role supabase_auth_admin;

do $$
begin
    if to_regtype('auth.aal_level') is null then
        create type auth.aal_level as enum ('aal1', 'aal2', 'aal3');
    end if;
    if to_regtype('auth.one_time_token_type') is null then
        create type auth.one_time_token_type as enum (
            'confirmation_token', 'reauthentication_token', 'recovery_token',
            'email_change_token_new', 'email_change_token_current', 'phone_change_token');
    end if;
end
$$;

create table if not exists auth.users (
    instance_id          uuid not null default '00000000-0000-0000-0000-000000000000',
    id                   uuid primary key,
    aud                  varchar(255) not null,
    role                 varchar(255) not null,
    email                varchar(255) not null,
    encrypted_password   varchar(255) not null,
    email_confirmed_at   timestamptz,
    confirmation_sent_at timestamptz,
    recovery_sent_at     timestamptz,
    last_sign_in_at      timestamptz,
    raw_app_meta_data    jsonb not null,
    raw_user_meta_data   jsonb not null,
    created_at           timestamptz not null,
    updated_at           timestamptz not null,
    phone                text unique,
    phone_confirmed_at   timestamptz,
    confirmed_at         timestamptz generated always as (least(email_confirmed_at, phone_confirmed_at)) stored,
    banned_until         timestamptz,
    is_sso_user          boolean not null default false,
    deleted_at           timestamptz,
    is_anonymous         boolean not null default false
);
create unique index if not exists users_email_partial_key on auth.users (email) where not is_sso_user;

create table if not exists auth.identities (
    id              uuid primary key,
    provider_id     text not null,
    user_id         uuid not null references auth.users on delete cascade,
    identity_data   jsonb not null,
    provider        text not null,
    last_sign_in_at timestamptz,
    created_at      timestamptz not null,
    updated_at      timestamptz not null,
    email           text generated always as (lower(identity_data ->> 'email')) stored,
    unique (provider_id, provider)
);
create index if not exists identities_user_id_idx on auth.identities (user_id);

create table if not exists auth.sessions (
    id           uuid primary key,
    user_id      uuid not null references auth.users on delete cascade,
    created_at   timestamptz not null,
    updated_at   timestamptz not null,
    aal          auth.aal_level not null,
    refreshed_at timestamp,
    user_agent   text,
    ip           inet
);
create index if not exists sessions_user_id_idx on auth.sessions (user_id);

create table if not exists auth.mfa_amr_claims (
    id                    uuid primary key,
    session_id            uuid not null references auth.sessions on delete cascade,
    created_at            timestamptz not null,
    updated_at            timestamptz not null,
    authentication_method text not null,
    unique (session_id, authentication_method)
);

-- token and parent hold SHA-256 digests, never the token itself.
create table if not exists auth.refresh_tokens (
    instance_id uuid not null default '00000000-0000-0000-0000-000000000000',
    id          bigserial primary key,
    token       varchar(255) not null unique,
    user_id     varchar(255) not null,
    revoked     boolean not null default false,
    created_at  timestamptz not null,
    updated_at  timestamptz not null,
    parent      varchar(255),
    session_id  uuid not null references auth.sessions on delete cascade
);
create index if not exists refresh_tokens_session_id_revoked_idx on auth.refresh_tokens (session_id, revoked);

create table if not exists auth.one_time_tokens (
    id         uuid primary key,
    user_id    uuid not null references auth.users on delete cascade,
    token_type auth.one_time_token_type not null,
    token_hash text not null,
    relates_to text not null,
    created_at timestamp not null,
    updated_at timestamp not null,
    unique (user_id, token_type)
);
create index if not exists one_time_tokens_token_hash_idx on auth.one_time_tokens (token_hash);

alter table auth.users enable row level security;
alter table auth.identities enable row level security;
alter table auth.sessions enable row level security;
alter table auth.mfa_amr_claims enable row level security;
alter table auth.refresh_tokens enable row level security;
alter table auth.one_time_tokens enable row level security;
