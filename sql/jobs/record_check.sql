-- Keep what a check found, in place of what it found before.
--
-- p_findings is a list, one entry for each kind of problem. Callers: the jobs that run checks.

create or replace function jobs.record_check(
  p_check_name text,
  p_took interval,
  p_problems bigint,
  p_findings jsonb
)
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $$
  insert into jobs.check_results (check_name, checked_at, took, problems, findings)
  values (p_check_name, clock_timestamp(), p_took, p_problems, p_findings)
  on conflict (check_name) do update
  set checked_at = excluded.checked_at,
    took = excluded.took,
    problems = excluded.problems,
    findings = excluded.findings;
$$;

comment on function jobs.record_check(text, interval, bigint, jsonb) is
'Remember when a check ran, how long it took and what it found.';

revoke all on function jobs.record_check(text, interval, bigint, jsonb)
from public, anon, authenticated, service_role;
