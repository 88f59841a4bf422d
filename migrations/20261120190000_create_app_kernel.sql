-- The shared kernel: the clock, idempotency keys, and time-ordered ids.
--
-- Domain schemas are not exposed by the API. Clients hold USAGE on them because a
-- door in public runs as its caller; what they may do is in the exact grants.

create schema app;
grant usage on schema app to anon, authenticated, service_role;

comment on schema app is 'Kernel: the caller, the clock, errors, idempotency.';

-- A version 7 uuid (RFC 9562): 48 bits of milliseconds, then random bits.
--
-- Lives here because table defaults call it. Postgres 18 has its own uuidv7();
-- this one serves 15 to 18 alike.

create function app.uuid_v7()
returns uuid
language sql
volatile
parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select encode(
    set_bit(
      set_bit(
        overlay(
          uuid_send(gen_random_uuid())
          placing substring(int8send((extract(epoch from clock_timestamp()) * 1000)::bigint) from 3)
          from 1 for 6
        ),
        52, 1
      ),
      53, 1
    ),
    'hex'
  )::uuid;
$$;

comment on function app.uuid_v7() is
'A time-ordered uuid (version 7, RFC 9562).';

revoke all on function app.uuid_v7() from public, anon, authenticated;

-- Empty in production. A row stops the clock of every rule; only tests write one,
-- and a worker in production refuses to start while it is there.

create table app.clock (
  singleton boolean primary key default true,
  frozen_at timestamptz not null,

  constraint clock_has_one_row check (singleton)
);
alter table app.clock enable row level security;

comment on table app.clock is
'Where tests stop the time that app.now() gives. Empty in production.';

create table app.idempotency_keys (
  user_id uuid not null,
  key text not null,
  door text not null,
  request_digest bytea not null,
  response jsonb,
  created_at timestamptz not null default now(),

  constraint idempotency_keys_pkey primary key (user_id, key),
  constraint idempotency_keys_key_length check (length(key) between 1 and 255)
);
alter table app.idempotency_keys enable row level security;

create index idempotency_keys_created_at_idx on app.idempotency_keys (created_at);

comment on table app.idempotency_keys is
'Answers already given, by caller and key. Only committed answers exist.';
