-- What is on the queue and what is stuck, in one list for operators.
--
-- Ids say what they are: 12 is a job, e12 an event that is retried, d12 a dead letter. Null filters
-- match all; finished jobs are not listed, failed ones are until they are purged.
-- Callers: operators, through hub jobs.

create or replace function jobs.list_jobs(
  p_id text default null,
  p_state text default null,
  p_what text default null,
  p_limit integer default 100
)
returns table (
  id text,
  state text,
  what text,
  attempts integer,
  since timestamptz,
  due_at timestamptz,
  error_class text,
  error_message text,
  details jsonb
)
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  with job as (
    select
      j.id::text as id,
      case j.status
        when 'todo' then 'waiting'
        when 'doing' then 'running'
        else j.status::text
      end as state,
      j.task_name::text as what,
      j.attempts,
      (
        select min(e.at)
        from procrastinate.procrastinate_events as e
        where e.job_id = j.id
          and e.type = 'deferred'
      ) as since,
      j.scheduled_at as due_at,
      a.error_class,
      a.error_message,
      jsonb_strip_nulls(jsonb_build_object(
        'queue', j.queue_name, 'priority', j.priority, 'args', j.args, 'request_id', (
          select c.request_id
          from jobs.contexts as c
          where c.job_id = j.id
        )
      )) as details
    from procrastinate.procrastinate_jobs as j
    left join lateral (
      select
        t.error_class,
        t.error_message
      from jobs.attempts as t
      where t.job_id = j.id
      order by t.id desc
      limit 1
    ) as a on true
    where j.status <> 'succeeded'
  ),
  event as (
    select
      'e' || r.outbox_id as id,
      case when r.lease_id is null then 'retrying' else 'running' end as state,
      r.stream || ' ' || o.event as what,
      r.attempts,
      o.created_at as since,
      r.next_try_at as due_at,
      a.error_class,
      a.error_message,
      jsonb_build_object(
        'topic', o.topic, 'alone', r.alone, 'failed_batches', r.stalls, 'request_id', o.request_id
      ) as details
    from jobs.outbox_retries as r
    join jobs.outbox as o on o.id = r.outbox_id
    left join lateral (
      select
        t.error_class,
        t.error_message
      from jobs.attempts as t
      where t.outbox_id = r.outbox_id
      order by t.id desc
      limit 1
    ) as a on true
  ),
  dead as (
    select
      'd' || d.id as id,
      case when d.redriven_at is null then 'dead' else 'redriven' end as state,
      coalesce(d.task, d.stream || ' ' || d.event) as what,
      d.attempts,
      d.created_at as since,
      null::timestamptz as due_at,
      d.error_class,
      d.error_message,
      jsonb_strip_nulls(jsonb_build_object(
        'reason', d.reason, 'job_id', d.job_id, 'args', d.args, 'event_id', d.outbox_id,
        'topic', d.topic, 'request_id', d.request_id, 'redriven_at', d.redriven_at
      )) as details
    from jobs.dead_letters as d
  ),
  listed as (
    select * from job
    union all
    select * from event
    union all
    select * from dead
  )
  select *
  from listed as l
  where (p_id is null or l.id = p_id)
    and (p_state is null or l.state = p_state)
    and (p_what is null or starts_with(l.what, p_what))
    and (p_id is not null or p_state is not null or l.state <> 'redriven')
  order by l.since desc nulls last
  limit p_limit;
$$;

comment on function jobs.list_jobs(text, text, text, integer) is
'Jobs, retried events and dead letters, newest first.';

revoke all on function jobs.list_jobs(text, text, text, integer)
from public, anon, authenticated, service_role;
