-- The queue in numbers, for /metrics: what it is called, one name as label or null, its value.
--
-- Counts of waiting work stop at 10000, so that a backlog does not make looking at it slow; the
-- oldest job is the oldest of those. Names ending in _total only grow. A worker passes over names it
-- does not know, so rows may be added; none is ever renamed. Callers: the worker.

create or replace function jobs.gauges()
returns table (
  metric text,
  name text,
  value double precision
)
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  with job as (
    select
      q.id,
      q.status,
      q.queue_name,
      q.scheduled_at,
      q.worker_id
    from procrastinate.procrastinate_jobs as q
    where q.status in ('todo', 'doing')
    limit 10000
  ),
  -- the lowest id that is due stands for the oldest
  oldest as (
    select
      j.queue_name,
      min(j.id) as id
    from job as j
    where j.status = 'todo'
      and (j.scheduled_at is null or j.scheduled_at <= clock_timestamp())
    group by j.queue_name
  ),
  known_queue as (
    select c.queue as name
    from jobs.task_catalog() as c
    union
    select j.queue_name
    from job as j
  ),
  -- events that are committed and wait for an older transaction to end
  blocked as (
    select
      s.stream,
      (
        select o.created_at
        from jobs.outbox as o
        where o.stream = s.stream
          and (o.xid, o.id) > (s.cursor_xid, s.cursor_id)
          and o.xid >= pg_snapshot_xmin(pg_current_snapshot())
        order by o.xid, o.id
        limit 1
      ) as since
    from jobs.streams as s
  ),
  writer as (
    select a.xact_start as since
    from pg_stat_activity as a
    where a.backend_xid is not null
      and a.pid <> pg_backend_pid()
    union all
    select p.prepared
    from pg_prepared_xacts as p
  )
  select
    'jobs_' || s.state,
    k.name,
    (
      select count(*)
      from job as j
      where j.queue_name = k.name
        and j.status = s.status
    )
  from known_queue as k
  cross join (
    values
      ('waiting', 'todo'::procrastinate.procrastinate_job_status), ('running', 'doing')
  ) as s (state, status)
  union all
  select
    'job_oldest_seconds',
    k.name,
    coalesce((
      select extract(epoch from clock_timestamp() - greatest(
        j.scheduled_at,
        (
          select min(e.at)
          from procrastinate.procrastinate_events as e
          where e.job_id = j.id
            and e.type = 'deferred'
        )
      ))
      from oldest as o
      join job as j on j.id = o.id
      where o.queue_name = k.name
    ), 0)
  from known_queue as k
  union all
  select
    'jobs_stalled',
    k.name,
    (
      select count(*)
      from job as j
      left join procrastinate.procrastinate_workers as w on w.id = j.worker_id
      where j.queue_name = k.name
        and j.status = 'doing'
        and (w.id is null or w.last_heartbeat < clock_timestamp() - interval '30 seconds')
    )
  from known_queue as k
  union all
  select
    'queue_paused_seconds',
    k.name,
    coalesce((
      select extract(epoch from clock_timestamp() - p.paused_at)
      from jobs.pauses as p
      where p.kind = 'queue'
        and p.name = k.name
    ), 0)
  from known_queue as k
  union all
  select
    'fetchers_alive',
    null,
    (
      select count(*)
      from procrastinate.procrastinate_workers as w
      where w.last_heartbeat >= clock_timestamp() - interval '30 seconds'
    )
  union all
  select
    'jobs_deferred_total',
    null,
    coalesce(pg_sequence_last_value('procrastinate.procrastinate_jobs_id_seq'), 0)
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
    'outbox_blocked_seconds',
    b.stream,
    coalesce(extract(epoch from clock_timestamp() - b.since), 0)
  from blocked as b
  union all
  select
    'oldest_writer_seconds',
    null,
    (select coalesce(max(extract(epoch from clock_timestamp() - w.since)), 0) from writer as w)
  union all
  select
    'outbox_retries',
    s.stream,
    (select count(*) from jobs.outbox_retries as r where r.stream = s.stream)
  from jobs.streams as s
  union all
  select
    'outbox_events_total',
    null,
    coalesce(pg_sequence_last_value('jobs.outbox_id_seq'), 0)
  union all
  select
    'stream_backoff_seconds',
    s.stream,
    greatest(0, coalesce(extract(epoch from s.paused_until - clock_timestamp()), 0))
  from jobs.streams as s
  union all
  select
    'stream_paused_seconds',
    s.stream,
    coalesce((
      select extract(epoch from clock_timestamp() - p.paused_at)
      from jobs.pauses as p
      where p.kind = 'stream'
        and p.name = s.stream
    ), 0)
  from jobs.streams as s
  union all
  select
    'dead_letters',
    coalesce(d.task, d.stream),
    count(*)
  from jobs.dead_letters as d
  where d.redriven_at is null
  group by coalesce(d.task, d.stream)
  union all
  select
    'dead_letters_written_total',
    null,
    coalesce(pg_sequence_last_value('jobs.dead_letters_id_seq'), 0)
  union all
  select
    'check_problems',
    c.check_name,
    c.problems
  from jobs.check_results as c
  union all
  select
    'check_age_seconds',
    c.check_name,
    extract(epoch from clock_timestamp() - c.checked_at)
  from jobs.check_results as c
  union all
  select
    s.metric,
    s.label,
    s.value
  from seals.metrics() as s
  union all
  select
    'database_time_seconds',
    null,
    extract(epoch from clock_timestamp());
$$;

comment on function jobs.gauges() is
'Queues, streams, dead letters, pauses and checks in numbers.';

revoke all on function jobs.gauges() from public, anon, authenticated, service_role;
