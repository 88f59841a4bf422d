-- How long to wait after the n-th failure: doubling up to a cap, with equal jitter.
--
-- Half of the wait is certain, so that a retry never comes at once; half is random, so that what
-- failed together does not return together. Callers: the queue's own rules.

create or replace function jobs.backoff(
  p_failures integer,
  p_base interval,
  p_cap interval
)
returns interval
language sql
volatile
set search_path = pg_catalog, pg_temp
as $$
  select least(p_cap, p_base * (2 ^ least(greatest(p_failures, 1) - 1, 30))) * (0.5 + random() / 2);
$$;

comment on function jobs.backoff(integer, interval, interval) is
'The wait before the next try after this many failures in a row.';

revoke all on function jobs.backoff(integer, interval, interval)
from public, anon, authenticated, service_role;
