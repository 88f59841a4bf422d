-- Consensus: votes on clips, decisions with their history, and what they are paid.
--
-- consensus.items is the part of a clip that voting changes; its row is the lock
-- that orders everything about one clip. Lock order everywhere: item, then
-- reward_days by person, then the ledger's.

create schema consensus;
grant usage on schema consensus to authenticated, service_role;

comment on schema consensus is 'Votes, decisions, and the rewards they cause.';

create table consensus.kinds (
  kind public.clip_kind primary key,
  labels text[] not null,
  validating_labels text[] not null,
  min_votes integer not null,
  max_votes integer not null,
  lease_duration interval not null default '15 minutes',
  max_leased_per_author integer not null default 5,
  currency text not null references ledger.currencies (code) on delete restrict,
  author_reward bigint not null,
  reviewer_reward bigint not null,
  daily_reward_cap bigint not null,
  settle_after interval not null default '7 days',

  constraint kinds_labels_two_or_more check (cardinality(labels) >= 2),
  constraint kinds_labels_without_null check (array_position(labels, null) is null),
  constraint kinds_validating_labels_are_labels check (validating_labels <@ labels and cardinality(validating_labels) >= 1),
  constraint kinds_some_label_invalidates check (not labels <@ validating_labels),
  constraint kinds_votes_in_order check (min_votes >= 1 and max_votes >= min_votes),
  constraint kinds_rewards_not_negative check (author_reward >= 0 and reviewer_reward >= 0 and daily_reward_cap >= 0),
  constraint kinds_durations_not_negative check (lease_duration > '0' and settle_after >= '0')
);
alter table consensus.kinds enable row level security;

comment on table consensus.kinds is 'The rule each kind of clip is decided and paid by. Numbers are defaults to change here.';
comment on column consensus.kinds.validating_labels is 'Labels that make a clip valid; any other decided label makes it invalid.';
comment on column consensus.kinds.min_votes is 'Votes the winning label needs at least; it also needs more than half.';
comment on column consensus.kinds.max_votes is 'Votes after which voting ends undecided and staff must decide.';
comment on column consensus.kinds.max_leased_per_author is 'Clips of one speaker a reviewer may hold at a time.';
comment on column consensus.kinds.author_reward is 'Minor units for the author of a valid clip.';
comment on column consensus.kinds.reviewer_reward is 'Minor units for each reviewer who agreed with the decision.';
comment on column consensus.kinds.daily_reward_cap is 'Minor units one person may be promised per UTC day.';
comment on column consensus.kinds.settle_after is 'How long a reward stays held before it is posted.';

insert into consensus.kinds (
  kind, labels, validating_labels, min_votes, max_votes, currency, author_reward, reviewer_reward, daily_reward_cap
)
values
('voice', '{valid,invalid}', '{valid}', 2, 7, 'USD', 10, 2, 2000),
('video', '{valid,invalid}', '{valid}', 2, 7, 'USD', 25, 4, 2000);

create type consensus.item_state as enum ('open', 'disputed', 'decided', 'settled');

create table consensus.items (
  clip_id uuid primary key references public.clips (id) on delete restrict,
  kind public.clip_kind not null references consensus.kinds (kind) on delete restrict,
  language text not null references public.languages (code) on delete restrict,
  author_id uuid not null references public.profiles (id) on delete restrict,
  state consensus.item_state not null default 'open',
  tally integer[] not null,
  votes_needed integer not null,
  label text,
  settle_at timestamptz,

  constraint items_label_iff_decided check ((state in ('decided', 'settled')) = (label is not null)),
  constraint items_settle_at_iff_decided check ((state = 'decided') = (settle_at is not null)),
  constraint items_votes_needed_iff_open check ((state = 'open') = (votes_needed > 0))
) with (fillfactor = 70);
alter table consensus.items enable row level security;

create index items_queue_idx on consensus.items (language, votes_needed, clip_id) where state = 'open';
create index items_disputed_idx on consensus.items (language, clip_id) where state = 'disputed';
create index items_settle_at_idx on consensus.items (settle_at) where state = 'decided';
create index items_author_id_idx on consensus.items (author_id);

comment on table consensus.items is 'The votable side of a clip: its tally and where it stands. One row per clip.';
comment on column consensus.items.tally is 'Votes per label, in the order of kinds.labels.';
comment on column consensus.items.votes_needed is 'Least number of further votes that can decide it; 0 once voting has ended.';
comment on column consensus.items.state is
'open: voting; disputed: cap reached, staff decide; decided: rewards held; settled: rewards posted.';

create table public.votes (
  clip_id uuid not null references public.clips (id) on delete restrict,
  voter_id uuid not null references public.profiles (id) on delete restrict,
  label text not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),

  constraint votes_one_per_person_and_clip primary key (clip_id, voter_id)
);
alter table public.votes enable row level security;

create index votes_voter_id_idx on public.votes (voter_id, created_at desc);

comment on table public.votes is 'One vote per person and clip; voting again replaces it until the clip is decided.';

create table consensus.skips (
  reviewer_id uuid not null references public.profiles (id) on delete restrict,
  clip_id uuid not null references public.clips (id) on delete restrict,
  created_at timestamptz not null default now(),

  constraint skips_pkey primary key (reviewer_id, clip_id)
);
alter table consensus.skips enable row level security;

create index skips_clip_id_idx on consensus.skips (clip_id);

comment on table consensus.skips is 'Clips a reviewer passed over; they are not offered again.';

create table consensus.leases (
  clip_id uuid not null references public.clips (id) on delete restrict,
  reviewer_id uuid not null references public.profiles (id) on delete restrict,
  expires_at timestamptz not null,

  constraint leases_pkey primary key (clip_id, reviewer_id)
);
alter table consensus.leases enable row level security;

create index leases_reviewer_id_idx on consensus.leases (reviewer_id, expires_at);

comment on table consensus.leases is 'Clips handed to a reviewer for a while, so that no more work at one than it needs.';

create table consensus.decisions (
  id bigint generated always as identity primary key,
  clip_id uuid not null references public.clips (id) on delete restrict,
  version integer not null,
  status public.validation_status not null,
  label text,
  rule text not null,
  decided_by uuid,
  tally integer[] not null,
  reason text not null,
  created_at timestamptz not null default now(),

  constraint decisions_numbered_per_clip unique (clip_id, version),
  constraint decisions_rule_is_known check (rule in ('classic', 'staff')),
  constraint decisions_staff_named check ((rule = 'staff') = (decided_by is not null)),
  constraint decisions_label_iff_decided check ((status = 'pending') = (label is null))
);
alter table consensus.decisions enable row level security;

comment on table consensus.decisions is 'Append-only history of what was decided of a clip, by which rule, and why.';
comment on column consensus.decisions.version is 'The clip''s version the decision made.';
comment on column consensus.decisions.tally is 'The votes it rested on, in the order of kinds.labels.';

create table consensus.reward_days (
  user_id uuid not null references public.profiles (id) on delete restrict,
  day date not null,
  currency text not null references ledger.currencies (code) on delete restrict,
  promised bigint not null,

  constraint reward_days_pkey primary key (user_id, day, currency)
) with (fillfactor = 70);
alter table consensus.reward_days enable row level security;

comment on table consensus.reward_days is 'Minor units promised to a person on a UTC day; holds the daily cap exactly.';

create table consensus.withheld_rewards (
  clip_id uuid not null references public.clips (id) on delete restrict,
  version integer not null,
  user_id uuid not null references public.profiles (id) on delete restrict,
  cause text not null,
  currency text not null references ledger.currencies (code) on delete restrict,
  amount bigint not null,
  why text not null,
  created_at timestamptz not null default now(),

  constraint withheld_rewards_pkey primary key (clip_id, version, user_id, cause),
  constraint withheld_rewards_why_is_known check (why in ('daily_cap', 'pool_empty'))
);
alter table consensus.withheld_rewards enable row level security;

create index withheld_rewards_user_id_idx on consensus.withheld_rewards (user_id);

comment on table consensus.withheld_rewards is 'Rewards a decision earned but could not promise, and why.';

create type public.vote_outcome as (
  clip_id uuid,
  label text,
  status public.validation_status,
  is_decided boolean,
  votes integer,
  votes_needed integer,
  version integer
);
comment on type public.vote_outcome is 'A clip as it stands after one''s vote.';

create type public.review_item as (
  clip_id uuid,
  kind public.clip_kind,
  language text,
  media_path text,
  duration_ms integer,
  prompt text,
  transcript text,
  labels text[],
  lease_expires_at timestamptz
);
comment on type public.review_item is 'A clip leased to a reviewer, with the labels to choose from.';

create type public.disputed_clip as (
  clip_id uuid,
  kind public.clip_kind,
  language text,
  author_id uuid,
  media_path text,
  prompt text,
  transcript text,
  labels text[],
  tally integer[]
);
comment on type public.disputed_clip is 'A clip staff must decide, with the votes per label.';

create type public.validation_outcome as (
  clip_id uuid,
  status public.validation_status,
  previous_status public.validation_status,
  is_settled boolean,
  version integer
);
comment on type public.validation_outcome is 'A clip after staff set its validation status.';
