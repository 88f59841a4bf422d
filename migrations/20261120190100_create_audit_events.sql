-- audit.events: who did what to which thing, when and why.
--
-- Append-only for every role (sql/audit/tg_events__refuse_change.sql). Rows name people
-- by id only, so that a person can be forgotten while the record stays.

create schema audit;
grant usage on schema audit to authenticated, service_role;

comment on schema audit is 'The append-only record of decisions and protected actions.';

create table audit.events (
  id bigint generated always as identity primary key,
  at timestamptz not null default now(),
  actor_id uuid,
  actor_role text not null,
  action text not null,
  subject_type text not null,
  subject_id text not null,
  reason text,
  details jsonb not null default '{}',
  request_id text not null,

  constraint events_action_is_a_name check (action ~ '^[a-z_]+$'),
  constraint events_reason_length check (length(reason) <= 2000)
);
alter table audit.events enable row level security;

create index events_subject_idx on audit.events (subject_type, subject_id, id);

comment on table audit.events is
'Append-only: who, what, when, why, and the request that did it.';
comment on column audit.events.actor_id is 'The signed-in user, or null when the system acted.';
