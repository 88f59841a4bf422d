-- What a Supabase database has before our first migration, for plain Postgres 15 to 18.
--
-- For local work and tests only: hosted and self-hosted Supabase bring these themselves, and
-- shim.py refuses to run there. Tables follow what @supabase/lite 0.10.0 writes to, with
-- hosted's column names; owners and grants follow hosted. Safe to repeat, and to run in several
-- databases of one cluster at once.

select pg_advisory_xact_lock(hashtext('hub local shim'));

-- Roles are shared by all databases of the cluster. Advisory locks are not, hence the lock on the
-- shared catalogue, taken only when a role is missing.

do $$
begin
  if (
    select count(*) = 8
    from pg_catalog.pg_roles
    where rolname in (
      'anon', 'authenticated', 'service_role', 'authenticator',
      'supabase_auth_admin', 'supabase_storage_admin', 'supabase_realtime_admin',
      'supabase_read_only_user'
    )
  ) then
    return;
  end if;

  lock table pg_catalog.pg_authid in share row exclusive mode;

  if to_regrole('anon') is null then
    create role anon nologin noinherit;
  end if;
  if to_regrole('authenticated') is null then
    create role authenticated nologin noinherit;
  end if;
  if to_regrole('service_role') is null then
    create role service_role nologin noinherit bypassrls;
  end if;
  if to_regrole('authenticator') is null then
    create role authenticator login noinherit;
  end if;
  if to_regrole('supabase_auth_admin') is null then
    create role supabase_auth_admin login noinherit createrole;
  end if;
  if to_regrole('supabase_storage_admin') is null then
    create role supabase_storage_admin login noinherit;
  end if;
  if to_regrole('supabase_realtime_admin') is null then
    create role supabase_realtime_admin nologin noinherit;
  end if;

  if to_regrole('supabase_read_only_user') is null then
    create role supabase_read_only_user login bypassrls;
  end if;

  grant pg_read_all_data to supabase_read_only_user;
  grant anon, authenticated, service_role to authenticator;
  grant anon, authenticated, service_role to supabase_storage_admin;

  alter role anon set statement_timeout = '3s';
  alter role authenticated set statement_timeout = '8s';
  alter role authenticator set statement_timeout = '8s';
  alter role authenticator set lock_timeout = '8s';
  alter role supabase_auth_admin set search_path = 'auth';
  alter role supabase_auth_admin set idle_in_transaction_session_timeout = '60s';
end;
$$;

grant usage on schema public to anon, authenticated, service_role;

create schema if not exists extensions;
grant usage on schema extensions to anon, authenticated, service_role;

-- auth

create schema if not exists auth authorization supabase_auth_admin;
grant usage on schema auth to anon, authenticated, service_role;

create table if not exists auth.users (
  instance_id uuid,
  id uuid primary key,
  aud varchar(255) default 'authenticated',
  role varchar(255) default 'authenticated',
  email varchar(255),
  encrypted_password varchar(255),
  email_confirmed_at timestamptz,
  invited_at timestamptz,
  confirmation_token varchar(255),
  confirmation_sent_at timestamptz,
  recovery_token varchar(255),
  recovery_sent_at timestamptz,
  email_change varchar(255),
  email_change_token_new varchar(255),
  email_change_token_current varchar(255),
  email_change_sent_at timestamptz,
  email_change_confirm_status smallint default 0
  check (email_change_confirm_status between 0 and 2),
  last_sign_in_at timestamptz,
  raw_app_meta_data jsonb default '{}',
  raw_user_meta_data jsonb default '{}',
  is_super_admin boolean,
  created_at timestamptz default now(),
  updated_at timestamptz default now(),
  phone text unique,
  phone_confirmed_at timestamptz,
  phone_change text,
  phone_change_token varchar(255),
  phone_change_sent_at timestamptz,
  confirmed_at timestamptz generated always as (
    least(email_confirmed_at, phone_confirmed_at)
  ) stored,
  banned_until timestamptz,
  reauthentication_token varchar(255),
  reauthentication_sent_at timestamptz,
  is_sso_user boolean not null default false,
  deleted_at timestamptz,
  is_anonymous boolean not null default false
);

create unique index if not exists users_email_partial_key
on auth.users (email)
where not is_sso_user;

create index if not exists users_is_anonymous_idx
on auth.users (is_anonymous);

create unique index if not exists users_confirmation_token_idx
on auth.users (confirmation_token)
where length(confirmation_token) > 6;

create unique index if not exists users_recovery_token_idx
on auth.users (recovery_token)
where length(recovery_token) > 6;

create unique index if not exists users_email_change_token_current_idx
on auth.users (email_change_token_current)
where length(email_change_token_current) > 6;

create unique index if not exists users_email_change_token_new_idx
on auth.users (email_change_token_new)
where length(email_change_token_new) > 6;

create unique index if not exists users_reauthentication_token_idx
on auth.users (reauthentication_token)
where length(reauthentication_token) > 6;

create table if not exists auth.sessions (
  id uuid primary key,
  user_id uuid not null references auth.users (id) on delete cascade,
  created_at timestamptz default now(),
  updated_at timestamptz default now(),
  factor_id uuid,
  aal text check (aal in ('aal1', 'aal2', 'aal3')),
  not_after timestamptz,
  refreshed_at timestamp,
  user_agent text,
  ip inet,
  tag text,
  refresh_token_hmac_key text,
  refresh_token_counter bigint,
  scopes text check (length(scopes) <= 4096)
);

create index if not exists sessions_user_id_idx
on auth.sessions (user_id);

create table if not exists auth.refresh_tokens (
  id text primary key,
  token varchar(255) not null,
  user_id uuid not null,
  session_id uuid references auth.sessions (id) on delete cascade,
  revoked boolean default false,
  parent varchar(255),
  created_at timestamptz default now(),
  updated_at timestamptz default now()
);

create index if not exists refresh_tokens_token_idx
on auth.refresh_tokens (token);

create index if not exists refresh_tokens_user_id_idx
on auth.refresh_tokens (user_id);

create index if not exists refresh_tokens_session_id_revoked_idx
on auth.refresh_tokens (session_id, revoked);

create table if not exists auth.identities (
  id uuid primary key,
  provider_id text not null,
  user_id uuid not null references auth.users (id) on delete cascade,
  identity_data jsonb not null default '{}',
  provider text not null,
  last_sign_in_at timestamptz,
  created_at timestamptz default now(),
  updated_at timestamptz default now(),
  email varchar(255) generated always as (lower(identity_data ->> 'email')) stored,
  unique (provider, provider_id)
);

create index if not exists identities_user_id_idx
on auth.identities (user_id);

create index if not exists identities_email_idx
on auth.identities (email);

create table if not exists auth.flow_state (
  id uuid primary key,
  user_id uuid,
  auth_code text,
  code_challenge_method text check (code_challenge_method in ('s256', 'plain')),
  code_challenge text,
  provider_type text not null,
  provider_access_token text,
  provider_refresh_token text,
  created_at timestamptz default now(),
  updated_at timestamptz default now(),
  authentication_method text not null,
  auth_code_issued_at timestamptz,
  invite_token text,
  referrer text,
  oauth_client_state_id uuid,
  linking_target_id uuid,
  email_optional boolean not null default false
);

create index if not exists idx_auth_code
on auth.flow_state (auth_code);

create index if not exists idx_user_id_auth_method
on auth.flow_state (user_id, authentication_method);

create index if not exists flow_state_created_at_idx
on auth.flow_state (created_at);

create table if not exists auth.audit_log_entries (
  id uuid primary key,
  payload json,
  created_at timestamptz default now(),
  ip_address varchar(64) default ''
);

create or replace function auth.uid()
returns uuid
language sql
stable
as $$
  select coalesce(
    nullif(current_setting('request.jwt.claim.sub', true), ''),
    (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')
  )::uuid;
$$;

create or replace function auth.role()
returns text
language sql
stable
as $$
  select coalesce(
    nullif(current_setting('request.jwt.claim.role', true), ''),
    (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'role')
  )::text;
$$;

create or replace function auth.email()
returns text
language sql
stable
as $$
  select coalesce(
    nullif(current_setting('request.jwt.claim.email', true), ''),
    (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'email')
  )::text;
$$;

create or replace function auth.jwt()
returns jsonb
language sql
stable
as $$
  select coalesce(
    nullif(current_setting('request.jwt.claim', true), ''),
    nullif(current_setting('request.jwt.claims', true), '')
  )::jsonb;
$$;

do $$
declare
  v_object record;
begin
  for v_object in
    select c.oid::regclass as name
    from pg_catalog.pg_class as c
    where c.relnamespace = 'auth'::regnamespace
    and c.relkind = 'r'
    and c.relowner <> 'supabase_auth_admin'::regrole
  loop
    execute format('alter table %s owner to supabase_auth_admin', v_object.name);
    execute format('alter table %s enable row level security', v_object.name);
  end loop;

  for v_object in
    select p.oid::regprocedure as name
    from pg_catalog.pg_proc as p
    where p.pronamespace = 'auth'::regnamespace
    and p.proowner <> 'supabase_auth_admin'::regrole
  loop
    execute format('alter function %s owner to supabase_auth_admin', v_object.name);
  end loop;
end;
$$;

-- storage

create schema if not exists storage authorization supabase_storage_admin;
grant usage on schema storage to anon, authenticated, service_role;

create table if not exists storage.buckets (
  id text primary key,
  name text not null unique,
  owner uuid,
  created_at timestamptz default now(),
  updated_at timestamptz default now(),
  public boolean default false,
  avif_autodetection boolean default false,
  file_size_limit bigint,
  allowed_mime_types text[],
  owner_id text
);

create table if not exists storage.objects (
  id uuid primary key default gen_random_uuid(),
  bucket_id text references storage.buckets (id),
  name text,
  owner uuid,
  created_at timestamptz default now(),
  updated_at timestamptz default now(),
  last_accessed_at timestamptz default now(),
  metadata jsonb,
  path_tokens text[] generated always as (string_to_array(name, '/')) stored,
  version text,
  owner_id text,
  user_metadata jsonb,
  unique (bucket_id, name)
);

create index if not exists storage_objects_name_pattern_search
on storage.objects (name text_pattern_ops);

create or replace function storage.foldername(name text)
returns text[]
language sql
immutable
as $$
  select (string_to_array(name, '/'))[:array_length(string_to_array(name, '/'), 1) - 1];
$$;

create or replace function storage.filename(name text)
returns text
language sql
immutable
as $$
  select (string_to_array(name, '/'))[array_length(string_to_array(name, '/'), 1)];
$$;

create or replace function storage.extension(name text)
returns text
language sql
immutable
as $$
  select reverse(split_part(reverse(storage.filename(name)), '.', 1));
$$;

create or replace function storage.operation()
returns text
language sql
stable
as $$
  select current_setting('storage.operation', true);
$$;

do $$
begin
  if (
    select relowner <> 'supabase_storage_admin'::regrole
    from pg_catalog.pg_class
    where oid = 'storage.objects'::regclass
  ) then
    alter table storage.buckets owner to supabase_storage_admin;
    alter table storage.objects owner to supabase_storage_admin;
    alter table storage.buckets enable row level security;
    alter table storage.objects enable row level security;
    grant all on storage.buckets, storage.objects to anon, authenticated, service_role;
  end if;
end;
$$;

-- realtime

create schema if not exists realtime;
grant usage on schema realtime to anon, authenticated, service_role;

create table if not exists realtime.messages (
  topic text not null,
  extension text not null,
  payload jsonb,
  event text,
  private boolean default false,
  updated_at timestamp not null default now(),
  inserted_at timestamp not null default now(),
  id uuid not null default gen_random_uuid(),
  primary key (id, inserted_at)
) partition by range (inserted_at);

-- Hosted makes a partition a day; one for everything spares local work a clock.

create table if not exists realtime.messages_all
partition of realtime.messages default;

create or replace function realtime.topic()
returns text
language sql
stable
as $$
  select nullif(current_setting('realtime.topic', true), '')::text;
$$;

create or replace function realtime.send(
  payload jsonb,
  event text,
  topic text,
  private boolean default true
)
returns void
language plpgsql
as $$
declare
  generated_id uuid := gen_random_uuid();
begin
  begin
    perform set_config('realtime.topic', send.topic, true);
    insert into realtime.messages (id, payload, event, topic, private, extension)
    values (
      generated_id,
      case
        when send.payload ? 'id' then send.payload
        else jsonb_set(send.payload, '{id}', to_jsonb(generated_id))
      end,
      send.event,
      send.topic,
      send.private,
      'broadcast'
    );
  exception when others then
    raise warning 'ErrorSendingBroadcastMessage: %', sqlerrm;
  end;
end;
$$;

do $$
begin
  if (
    select relowner <> 'supabase_realtime_admin'::regrole
    from pg_catalog.pg_class
    where oid = 'realtime.messages'::regclass
  ) then
    grant create, usage on schema realtime to supabase_realtime_admin;
    alter table realtime.messages owner to supabase_realtime_admin;
    alter table realtime.messages_all owner to supabase_realtime_admin;
    alter table realtime.messages enable row level security;
    alter table realtime.messages_all enable row level security;
    grant select, insert, update on realtime.messages to anon, authenticated, service_role;
  end if;
end;
$$;
