-- Rate limits: how often a door may be called, per person and per address.
--
-- Buckets are unlogged: a crash empties them, which only fills everybody's allowance again
-- (docs/decisions/limit-buckets-are-unlogged.md). A bucket is split into slots, so that
-- callers who share it do not wait for each other (docs/decisions/limits-are-split-into-slots.md).

create schema limits;

comment on schema limits is 'Rate limits as data, and what has been used of them. Not exposed.';

revoke all on schema limits from public;

create type limits.scope as enum ('user', 'ip');

create table limits.rules (
  door text not null,
  scope limits.scope not null,
  burst integer not null,
  period interval not null,
  slots integer not null generated always as (
    least(burst, case scope when 'user' then 4 else 32 end)
  ) stored,
  step interval not null generated always as (
    floor(
      extract(epoch from period) * 1000000 / (burst / least(burst, case scope when 'user' then 4 else 32 end))
    ) * interval '1 microsecond'
  ) stored,
  larger_step interval not null generated always as (
    floor(
      extract(epoch from period) * 1000000 / (burst / least(burst, case scope when 'user' then 4 else 32 end) + 1)
    ) * interval '1 microsecond'
  ) stored,

  constraint rules_pkey primary key (door, scope),
  constraint rules_burst_positive check (burst > 0),
  constraint rules_period_up_to_a_day check (period between '1 second' and '1 day')
);
alter table limits.rules enable row level security;

comment on table limits.rules is
'burst calls of a door at once, refilled evenly over period, for each person (user) or address (ip).';
comment on column limits.rules.slots is 'Parts a bucket is split into: as many calls under it run side by side.';
comment on column limits.rules.step is
'How long one call takes to refill in a slot of burst / slots calls; rounded down, or the last call of a burst would not fit.';
comment on column limits.rules.larger_step is
'The same in the first burst % slots slots, which hold one call more.';

create unlogged table limits.buckets (
  subject text collate "C" not null,
  door text collate "C" not null,
  slot integer not null,
  full_at timestamptz not null,
  last_call bigint not null,

  constraint buckets_pkey primary key (subject, door, slot)
)
with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);
alter table limits.buckets enable row level security;

comment on table limits.buckets is
'What is used up of a limit, one row per slot. A slot without a row, or with full_at in the past, is full.';
comment on column limits.buckets.subject is 'user:<id>, ip:<address or /64 network>, or ip:unknown.';
comment on column limits.buckets.full_at is 'When the slot will have refilled, if nothing more is taken.';
comment on column limits.buckets.last_call is 'A number drawn by the call that last took from it.';

insert into limits.rules (door, scope, burst, period)
values
('submit_clip', 'user', 60, '10 minutes'),
('submit_clip', 'ip', 1200, '10 minutes'),
('cast_vote', 'user', 120, '2 minutes'),
('cast_vote', 'ip', 6000, '2 minutes'),
('skip_clip', 'user', 120, '2 minutes'),
('skip_clip', 'ip', 6000, '2 minutes'),
('next_clips_to_review', 'user', 60, '2 minutes'),
('next_clips_to_review', 'ip', 3000, '2 minutes'),
('update_profile', 'user', 30, '10 minutes'),
('update_profile', 'ip', 600, '10 minutes'),
('set_validation_status', 'user', 300, '5 minutes'),
('set_validation_status', 'ip', 3000, '5 minutes'),
('disputed_clips', 'user', 300, '5 minutes'),
('disputed_clips', 'ip', 3000, '5 minutes'),
('votes_on_clip', 'user', 300, '5 minutes'),
('votes_on_clip', 'ip', 3000, '5 minutes'),
('grant_role', 'user', 120, '10 minutes'),
('grant_role', 'ip', 600, '10 minutes'),
('revoke_role', 'user', 120, '10 minutes'),
('revoke_role', 'ip', 600, '10 minutes');
