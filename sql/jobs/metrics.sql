-- The part of jobs.gauges() that workers of the release before know, under the names they know.
--
-- They fail on a name they do not know. Goes with the release after. Callers: older workers.

create or replace function jobs.metrics()
returns table (
  metric text,
  label text,
  value double precision
)
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select
    case g.metric when 'stream_backoff_seconds' then 'stream_paused_seconds' else g.metric end,
    g.name,
    g.value
  from jobs.gauges() as g
  where g.metric in (
    'jobs_waiting', 'jobs_running', 'outbox_waiting', 'outbox_lag_seconds', 'outbox_retries',
    'stream_backoff_seconds', 'dead_letters'
  );
$$;

comment on function jobs.metrics() is
'Queue depth, outbox lag, retries, back-off and dead letters, for older workers.';

revoke all on function jobs.metrics() from public, anon, authenticated, service_role;
