-- What the last run of each expensive check found, so that /metrics need not run it.

create table jobs.check_results (
  check_name text primary key,
  checked_at timestamptz not null,
  took interval not null,
  problems bigint not null,
  findings jsonb not null default '[]',
  constraint check_results_problems_not_negative check (problems >= 0)
);
alter table jobs.check_results enable row level security;

comment on table jobs.check_results is
'One row per check: when it last ran, how long it took, what it found.';
comment on column jobs.check_results.findings is
'The checks that do not hold, each with the number of rows that break it.';
