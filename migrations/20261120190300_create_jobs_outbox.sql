-- The queue's own tables: the outbox of events, how far each stream was carried,
-- who carries what right now, what failed, and what was given up.
--
-- Times here are the wall clock, not app.now(): the queue must go on delivering while a
-- test holds the business clock, and procrastinate reads the wall clock too.
-- Nothing here is granted to a client; rules insert into jobs.outbox as its owner.

create schema jobs;

comment on schema jobs is
'The queue: outbox streams, leases, retries, attempts, dead letters. Not exposed.';

revoke all on schema jobs from public;

-- A user's transaction pays for one row and two index entries: no trigger, no foreign key.
-- xid is the inserting transaction, so that a reader can stop below the oldest one still running.

create table jobs.outbox (
  id bigint generated always as identity primary key,
  xid xid8 not null default pg_current_xact_id(),
  stream text not null default 'realtime',
  topic text not null,
  event text not null,
  payload jsonb not null,
  request_id text,
  created_at timestamptz not null default now(),
  constraint outbox_stream_known check (stream in ('realtime')),
  constraint outbox_payload_is_object check (jsonb_typeof(payload) = 'object')
);

create index outbox_stream_position_idx on jobs.outbox (stream, xid, id);

comment on table jobs.outbox is
'Events to be carried out of the database, appended by rules in their own transaction.';
comment on column jobs.outbox.xid is
'The inserting transaction; with id, the position of the event in its stream.';
comment on column jobs.outbox.payload is
'What the client will see, with the version of the state; the id is added when it is sent.';

create table jobs.streams (
  stream text primary key,
  carrier_task text not null,
  cursor_xid xid8 not null default '0',
  cursor_id bigint not null default 0,
  served_id bigint not null default 0,
  cluster bigint not null,
  epoch integer not null default 1,
  retries_next boolean not null default true,
  paused_until timestamptz,
  outages integer not null default 0,
  delivered_at timestamptz,
  batch_limit integer not null default 1000,
  batch_bytes integer not null default 1000000,
  lanes integer not null default 2,
  split_after integer not null default 5,
  max_attempts integer not null default 8,
  backoff_base interval not null default '1 second',
  backoff_cap interval not null default '30 seconds',
  keep_for interval not null default '3 days',
  constraint streams_batch_limit_positive check (batch_limit > 0),
  constraint streams_batch_bytes_positive check (batch_bytes > 0),
  constraint streams_lanes_positive check (lanes > 0),
  constraint streams_split_after_positive check (split_after > 0),
  constraint streams_max_attempts_positive check (max_attempts > 0),
  constraint streams_backoff_ordered check (
    backoff_base > '0 seconds' and backoff_cap >= backoff_base
  )
)
with (fillfactor = 50);

comment on table jobs.streams is
'One row per stream: how far it was handed out, its back-off and its limits.';
comment on column jobs.streams.cursor_xid is
'With cursor_id, the last position handed out; only positions below the oldest running transaction are.';
comment on column jobs.streams.served_id is
'Highest outbox id ever handed out; tells old rows from new ones after a logical restore.';
comment on column jobs.streams.cluster is
'System identifier of the server the cursor''s transaction ids belong to.';
comment on column jobs.streams.epoch is
'Raised whenever the stream was rebased onto another server''s transaction ids.';
comment on column jobs.streams.retries_next is
'Fresh events and retries take turns: whose turn comes next.';
comment on column jobs.streams.paused_until is
'Nothing is handed out before: the provider is down or asked to wait.';
comment on column jobs.streams.outages is
'Failed batches since the last delivery; drives the back-off.';
comment on column jobs.streams.batch_limit is
'Events per batch the provider accepts at present: halved when it says too many, grown by successes.';
comment on column jobs.streams.lanes is
'Batches under way at once, over all workers, before no further carrier job is deferred.';
comment on column jobs.streams.split_after is
'Failed batches after which an event is sent alone.';
comment on column jobs.streams.max_attempts is
'Failed attempts of one event, alone, after which it is a dead letter.';
comment on column jobs.streams.keep_for is
'How long delivered events and closed leases are kept.';

-- A lease is one try at one batch and is never handed out again: what it did not deliver
-- moves to jobs.outbox_retries. Its random id also shuts out a worker from before a restore.

create table jobs.stream_leases (
  id uuid primary key default gen_random_uuid(),
  stream text not null references jobs.streams,
  epoch integer not null,
  lo_xid xid8,
  lo_id bigint,
  hi_xid xid8,
  hi_id bigint,
  item_ids bigint[],
  size integer not null,
  taken_at timestamptz not null default clock_timestamp(),
  expires_at timestamptz not null,
  closed_at timestamptz,
  outcome text,
  delivered integer,
  constraint stream_leases_range_or_items check (
    (item_ids is null and num_nulls(lo_xid, lo_id, hi_xid, hi_id) = 0)
    or (item_ids is not null and num_nonnulls(lo_xid, lo_id, hi_xid, hi_id) = 0)
  ),
  constraint stream_leases_size_positive check (size > 0),
  constraint stream_leases_closed_has_outcome check (
    (closed_at is null) = (outcome is null)
  )
);

create index stream_leases_open_idx on jobs.stream_leases (stream, expires_at)
where closed_at is null;
create index stream_leases_closed_idx on jobs.stream_leases (stream, closed_at)
where closed_at is not null;

comment on table jobs.stream_leases is
'One try at one batch. Kept after closing as the record of what was delivered.';
comment on column jobs.stream_leases.lo_id is
'A range lease holds the positions after (lo_xid, lo_id) up to and including (hi_xid, hi_id).';
comment on column jobs.stream_leases.item_ids is
'A lease over retries lists its events instead.';
comment on column jobs.stream_leases.delivered is
'How many of the size events this try delivered.';

create table jobs.outbox_retries (
  outbox_id bigint primary key references jobs.outbox,
  stream text not null references jobs.streams,
  attempts integer not null default 0,
  stalls integer not null default 0,
  alone boolean not null default false,
  next_try_at timestamptz not null,
  last_tried_at timestamptz not null default clock_timestamp(),
  lease_id uuid references jobs.stream_leases,
  constraint outbox_retries_attempts_not_negative check (attempts >= 0 and stalls >= 0)
)
with (fillfactor = 70);

create index outbox_retries_due_idx on jobs.outbox_retries (stream, next_try_at)
where lease_id is null;
create index outbox_retries_lease_idx on jobs.outbox_retries (lease_id)
where lease_id is not null;

comment on table jobs.outbox_retries is
'Events that were tried and not delivered yet; they block nobody.';
comment on column jobs.outbox_retries.attempts is
'Tries that failed because of this event, as far as can be told.';
comment on column jobs.outbox_retries.stalls is
'Batches that failed around this event.';
comment on column jobs.outbox_retries.alone is
'Sent singly, so that it cannot take others down with it.';

create table jobs.attempts (
  id bigint generated always as identity primary key,
  job_id bigint,
  task text,
  lease_id uuid,
  outbox_id bigint,
  stream text,
  outcome text not null,
  error_class text,
  error_message text,
  error_trace text,
  request_id text,
  created_at timestamptz not null default clock_timestamp(),
  constraint attempts_of_job_or_stream check ((job_id is null) <> (stream is null))
);

create index attempts_job_idx on jobs.attempts (job_id) where job_id is not null;
create index attempts_outbox_idx on jobs.attempts (outbox_id) where outbox_id is not null;
create index attempts_created_idx on jobs.attempts (created_at);

comment on table jobs.attempts is
'Tries that did not succeed, of unit jobs and of stream batches or events.';

create table jobs.dead_letters (
  id bigint generated always as identity primary key,
  job_id bigint,
  task text,
  args jsonb,
  outbox_id bigint references jobs.outbox,
  stream text references jobs.streams,
  topic text,
  event text,
  reason text not null,
  attempts integer not null,
  error_class text,
  error_message text,
  request_id text,
  created_at timestamptz not null default clock_timestamp(),
  redriven_at timestamptz,
  constraint dead_letters_reason_known check (
    reason in ('rejected', 'exhausted', 'killed_workers')
  ),
  constraint dead_letters_of_job_or_event check (
    num_nonnulls(job_id, task, args) in (0, 3)
    and num_nonnulls(outbox_id, stream, topic, event) in (0, 4)
    and (job_id is null) <> (outbox_id is null)
  )
);

create index dead_letters_waiting_idx on jobs.dead_letters (created_at)
where redriven_at is null;
create index dead_letters_created_idx on jobs.dead_letters (created_at);
create index dead_letters_job_idx on jobs.dead_letters (job_id) where job_id is not null;
create index dead_letters_outbox_idx on jobs.dead_letters (outbox_id)
where outbox_id is not null;

comment on table jobs.dead_letters is
'What was given up: unit jobs and events, with the last error, until somebody redrives them.';

create table jobs.settings (
  singleton boolean primary key default true,
  backoff_base interval not null default '2 seconds',
  backoff_cap interval not null default '10 minutes',
  keep_finished_jobs interval not null default '7 days',
  keep_attempts interval not null default '14 days',
  keep_dead_letters interval not null default '90 days',
  constraint settings_has_one_row check (singleton),
  constraint settings_backoff_ordered check (
    backoff_base > '0 seconds' and backoff_cap >= backoff_base
  )
);

comment on table jobs.settings is
'The queue''s numbers: retry timing of unit jobs and how long history is kept.';

insert into jobs.settings default values;

insert into jobs.streams (stream, carrier_task, cluster)
select
  'realtime',
  'realtime:deliver_events',
  system_identifier
from pg_control_system();

alter table jobs.outbox enable row level security;
alter table jobs.streams enable row level security;
alter table jobs.stream_leases enable row level security;
alter table jobs.outbox_retries enable row level security;
alter table jobs.attempts enable row level security;
alter table jobs.dead_letters enable row level security;
alter table jobs.settings enable row level security;
