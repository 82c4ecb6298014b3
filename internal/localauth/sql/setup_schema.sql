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
    if to_regtype('auth.code_challenge_method') is null then
        create type auth.code_challenge_method as enum ('s256', 'plain');
    end if;
    if to_regtype('auth.factor_type') is null then
        create type auth.factor_type as enum ('totp', 'webauthn', 'phone');
    end if;
    if to_regtype('auth.factor_status') is null then
        create type auth.factor_status as enum ('unverified', 'verified');
    end if;
end
$$;

create table if not exists auth.users (
    instance_id          uuid not null default '00000000-0000-0000-0000-000000000000',
    id                   uuid primary key,
    aud                  varchar(255) not null,
    role                 varchar(255) not null,
    email                varchar(255),
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
-- Added one by one, so that a schema from before has them too. The codes stay
-- empty here: they are in one_time_tokens.
alter table auth.users
    alter column email drop not null,
    add column if not exists invited_at                  timestamptz,
    add column if not exists confirmation_token          varchar(255) not null default '',
    add column if not exists recovery_token              varchar(255) not null default '',
    add column if not exists email_change_token_new      varchar(255) not null default '',
    add column if not exists email_change                varchar(255) not null default '',
    add column if not exists email_change_sent_at        timestamptz,
    add column if not exists is_super_admin              boolean,
    add column if not exists phone_change                text         not null default '',
    add column if not exists phone_change_token          varchar(255) not null default '',
    add column if not exists phone_change_sent_at        timestamptz,
    add column if not exists email_change_token_current  varchar(255) not null default '',
    add column if not exists email_change_confirm_status smallint     not null default 0,
    add column if not exists reauthentication_token      varchar(255) not null default '',
    add column if not exists reauthentication_sent_at    timestamptz;
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
alter table auth.sessions add column if not exists factor_id uuid;
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

-- One row per flow that ends in a code or at a callback: its id is the state that
-- an OAuth provider hands back, user_id is known from the start for mails.
create table if not exists auth.flow_state (
    id                     uuid primary key,
    user_id                uuid references auth.users on delete cascade,
    auth_code              text unique,
    code_challenge_method  auth.code_challenge_method,
    code_challenge         text,
    provider_type          text not null,
    provider_access_token  text not null default '',
    provider_refresh_token text not null default '',
    authentication_method  text not null,
    auth_code_issued_at    timestamptz,
    referrer               text not null default '',
    created_at             timestamptz not null,
    updated_at             timestamptz not null
);
create index if not exists flow_state_user_id_idx on auth.flow_state (user_id, authentication_method);

create table if not exists auth.mfa_factors (
    id                 uuid primary key,
    user_id            uuid not null references auth.users on delete cascade,
    friendly_name      text not null default '',
    factor_type        auth.factor_type not null,
    status             auth.factor_status not null,
    secret             text,
    phone              text,
    last_challenged_at timestamptz,
    created_at         timestamptz not null,
    updated_at         timestamptz not null
);
create index if not exists mfa_factors_user_id_idx on auth.mfa_factors (user_id);
create unique index if not exists mfa_factors_user_friendly_name_unique on auth.mfa_factors (user_id, friendly_name)
    where trim(friendly_name) <> '';

create table if not exists auth.mfa_challenges (
    id          uuid primary key,
    factor_id   uuid not null references auth.mfa_factors on delete cascade,
    ip_address  inet not null,
    created_at  timestamptz not null,
    verified_at timestamptz
);
create index if not exists mfa_challenges_factor_id_idx on auth.mfa_challenges (factor_id);

alter table auth.users enable row level security;
alter table auth.identities enable row level security;
alter table auth.sessions enable row level security;
alter table auth.mfa_amr_claims enable row level security;
alter table auth.refresh_tokens enable row level security;
alter table auth.one_time_tokens enable row level security;
alter table auth.flow_state enable row level security;
alter table auth.mfa_factors enable row level security;
alter table auth.mfa_challenges enable row level security;
