-- Every queue and stream: what waits, and who paused it, why and since when.
--
-- Counts stop at 10000. Callers: operators, through hub jobs.

create or replace function jobs.list_queues()
returns table (
  kind text,
  name text,
  waiting bigint,
  running bigint,
  paused_at timestamptz,
  paused_by text,
  reason text,
  backs_off_until timestamptz
)
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  with job as (
    select
      j.queue_name::text as name,
      count(*) filter (where j.status = 'todo') as waiting,
      count(*) filter (where j.status = 'doing') as running
    from (
      select
        q.queue_name,
        q.status
      from procrastinate.procrastinate_jobs as q
      where q.status in ('todo', 'doing')
      limit 10000
    ) as j
    group by j.queue_name
  ),
  listed as (
    select
      'queue' as kind,
      coalesce(c.queue, j.name) as name,
      coalesce(j.waiting, 0) as waiting,
      coalesce(j.running, 0) as running,
      null::timestamptz as backs_off_until
    from (select distinct t.queue from jobs.task_catalog() as t) as c
    full join job as j on j.name = c.queue
    union all
    select
      'stream',
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
      ) + (
        select count(*)
        from jobs.outbox_retries as r
        where r.stream = s.stream
          and r.lease_id is null
      ),
      (
        select coalesce(sum(l.size), 0)
        from jobs.stream_leases as l
        where l.stream = s.stream
          and l.closed_at is null
      ),
      case when s.paused_until > clock_timestamp() then s.paused_until end
    from jobs.streams as s
  )
  select
    l.kind,
    l.name,
    l.waiting,
    l.running,
    p.paused_at,
    p.paused_by,
    p.reason,
    l.backs_off_until
  from listed as l
  left join jobs.pauses as p on p.kind = l.kind and p.name = l.name
  order by l.kind, l.name;
$$;

comment on function jobs.list_queues() is
'Queues and streams with what waits in them and how they are paused.';

revoke all on function jobs.list_queues() from public, anon, authenticated, service_role;
