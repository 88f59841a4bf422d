-- What operators have paused. Read at every claim, by all workers, so a pause holds for all of them
-- at once and outlives restarts. Almost always empty.

create table jobs.pauses (
  kind text not null,
  name text not null,
  reason text not null,
  paused_by text not null,
  paused_at timestamptz not null default clock_timestamp(),
  constraint pauses_pkey primary key (kind, name),
  constraint pauses_kind_known check (kind in ('queue', 'stream'))
);
alter table jobs.pauses enable row level security;

comment on table jobs.pauses is
'Queues and streams that hand nothing out until an operator resumes them: who, why, since when.';
comment on column jobs.pauses.paused_by is
'The operator''s name as given, or the account hub ran under.';

-- Its filters and its reason changed; the new one is in sql/jobs. Only hub jobs calls it.
-- squawk-ignore ban-drop-function
drop function if exists jobs.redrive_dead_letters(
  bigint, text, text, text, timestamptz, text, boolean, integer
);
