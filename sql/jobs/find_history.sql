-- Old rows of the queue that an operator may want gone, oldest first, by age and filter.
--
-- p_kind: finished (jobs that succeeded, failed, were cancelled or aborted), dead (dead letters) or
-- attempts. p_what is the beginning of a task's or stream's name, p_state a finished job's state or
-- `dead`/`redriven`, p_text a part of the error's message. Null filters match all.
-- Callers: jobs.purge_history(); operators, through hub jobs, for a dry run.

create or replace function jobs.find_history(
  p_kind text,
  p_before timestamptz,
  p_what text default null,
  p_state text default null,
  p_error_class text default null,
  p_text text default null,
  p_limit integer default null
)
returns table (
  id bigint,
  state text,
  what text,
  at timestamptz,
  error_class text
)
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  (
    select
      j.id,
      j.status::text,
      j.task_name::text,
      e.at,
      a.error_class
    from procrastinate.procrastinate_jobs as j
    cross join lateral (
      select max(v.at) as at
      from procrastinate.procrastinate_events as v
      where v.job_id = j.id
    ) as e
    left join lateral (
      select
        t.error_class,
        t.error_message
      from jobs.attempts as t
      where t.job_id = j.id
      order by t.id desc
      limit 1
    ) as a on true
    where p_kind = 'finished'
      and j.status in ('succeeded', 'failed', 'cancelled', 'aborted')
      and coalesce(e.at, '-infinity') < p_before
      and (p_what is null or starts_with(j.task_name, p_what))
      and (p_state is null or j.status::text = p_state)
      and (p_error_class is null or a.error_class = p_error_class)
      and (p_text is null or strpos(lower(a.error_message), lower(p_text)) > 0)
    order by j.id
    limit p_limit
  )
  union all
  (
    select
      d.id,
      case when d.redriven_at is null then 'dead' else 'redriven' end,
      coalesce(d.task, d.stream || ' ' || d.event),
      d.created_at,
      d.error_class
    from jobs.dead_letters as d
    where p_kind = 'dead'
      and d.created_at < p_before
      and (p_what is null or starts_with(coalesce(d.task, d.stream), p_what))
      and (p_state is null or p_state = case when d.redriven_at is null then 'dead' else 'redriven' end)
      and (p_error_class is null or d.error_class = p_error_class)
      and (p_text is null or strpos(lower(d.error_message), lower(p_text)) > 0)
    order by d.created_at, d.id
    limit p_limit
  )
  union all
  (
    select
      t.id,
      t.outcome,
      coalesce(t.task, t.stream),
      t.created_at,
      t.error_class
    from jobs.attempts as t
    where p_kind = 'attempts'
      and t.created_at < p_before
      and (p_what is null or starts_with(coalesce(t.task, t.stream), p_what))
      and (p_state is null or t.outcome = p_state)
      and (p_error_class is null or t.error_class = p_error_class)
      and (p_text is null or strpos(lower(t.error_message), lower(p_text)) > 0)
    order by t.created_at, t.id
    limit p_limit
  );
$$;

comment on function jobs.find_history(text, timestamptz, text, text, text, text, integer) is
'Finished jobs, dead letters or attempts from before a time that match every filter, oldest first.';

revoke all on function jobs.find_history(text, timestamptz, text, text, text, text, integer)
from public, anon, authenticated, service_role;
