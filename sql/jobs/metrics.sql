-- The queue in numbers, for /metrics: a gauge's name, one label and its value per row.
--
-- Counts of waiting work stop at 10000, so that a backlog does not make looking at it slow.
-- Callers: the worker.

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
    'jobs_' || case when j.status = 'todo' then 'waiting' else 'running' end,
    j.queue_name,
    count(*)
  from (
    select
      q.status,
      q.queue_name
    from procrastinate.procrastinate_jobs as q
    where q.status in ('todo', 'doing')
    limit 10000
  ) as j
  group by j.status, j.queue_name
  union all
  select
    'outbox_waiting',
    s.stream,
    (
      select count(*)
      from (
        select
        from jobs.outbox as o
        where o.stream = s.stream
          and (o.xid, o.id) > (s.cursor_xid, s.cursor_id)
        limit 10000
      ) as w
    )
  from jobs.streams as s
  union all
  select
    'outbox_lag_seconds',
    s.stream,
    coalesce(extract(epoch from clock_timestamp() - (
      select o.created_at
      from jobs.outbox as o
      where o.stream = s.stream
        and (o.xid, o.id) > (s.cursor_xid, s.cursor_id)
      order by o.xid, o.id
      limit 1
    )), 0)
  from jobs.streams as s
  union all
  select
    'outbox_retries',
    s.stream,
    (select count(*) from jobs.outbox_retries as r where r.stream = s.stream)
  from jobs.streams as s
  union all
  select
    'stream_paused_seconds',
    s.stream,
    greatest(0, coalesce(extract(epoch from s.paused_until - clock_timestamp()), 0))
  from jobs.streams as s
  union all
  select
    'dead_letters',
    coalesce(d.task, d.stream),
    count(*)
  from jobs.dead_letters as d
  where d.redriven_at is null
  group by coalesce(d.task, d.stream);
$$;

comment on function jobs.metrics() is
'Queue depth, outbox lag, retries, pauses and dead letters, as gauges.';

revoke all on function jobs.metrics() from public, anon, authenticated, service_role;
