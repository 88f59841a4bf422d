-- Put one job on the queue, in the caller's transaction: no commit, no job.
--
-- The one door to procrastinate from SQL. A wrong task or argument name is a mistake in a rule and
-- stops it here, not later in the worker. Callers: rules that run as the owner; nobody over the API.
--
-- With a queueing lock, a job already waiting under it is the job: its id is returned. That row is
-- then held until the caller commits, so that the worker starts it after, not before, what the
-- caller wrote, and it keeps the context of its first request. Two callers with one queueing lock wait for each other: no hot ones in users'
-- transactions. Costs two NOTIFYs at commit; streams of events go through jobs.outbox instead.

create or replace function jobs.defer(
  p_task text,
  p_args jsonb default '{}',
  p_scheduled_at timestamptz default null,
  p_queueing_lock text default null,
  p_lock text default null,
  p_priority integer default null
)
returns bigint
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_task record;
  v_names text[];
  v_job procrastinate.procrastinate_job_to_defer_v1;
  v_id bigint;
begin
  select * into v_task
  from jobs.task_catalog() as c
  where c.task = p_task;

  if not found then
    raise internal_error using message = format('unknown task %s', p_task);
  end if;

  -- PostgreSQL's notification channels are 63 bytes long; procrastinate's prefix takes the rest
  if octet_length(v_task.queue) > 40 then
    raise internal_error using message = format('queue name of %s is over 40 bytes', p_task);
  end if;

  select coalesce(array_agg(k order by k), '{}') into v_names
  from jsonb_object_keys(coalesce(p_args, '{}')) as k;

  if v_names <> array(select a from unnest(v_task.arguments) as a order by a) then
    raise internal_error using
      message = format('task %s does not take these arguments', p_task),
      detail = format('given %s, takes %s', v_names, v_task.arguments);
  end if;

  v_job := row(
    v_task.queue, p_task, coalesce(p_priority, v_task.priority),
    p_lock, p_queueing_lock, coalesce(p_args, '{}'), p_scheduled_at
  );

  if p_queueing_lock is null then
    v_id := (procrastinate.procrastinate_defer_jobs_v1(array[v_job]))[1];
    perform jobs.record_context(v_id);
    return v_id;
  end if;

  loop
    begin
      v_id := (procrastinate.procrastinate_defer_jobs_v1(array[v_job]))[1];
      perform jobs.record_context(v_id);
      return v_id;
    exception when unique_violation then
      select j.id into v_id
      from procrastinate.procrastinate_jobs as j
      where j.queueing_lock = p_queueing_lock
        and j.status = 'todo'
      for update;

      -- not found: it was started in between, so there is room for a new one
      if found then
        return v_id;
      end if;
    end;
  end loop;
end;
$$;

comment on function jobs.defer(text, jsonb, timestamptz, text, text, integer) is
'Put one job on the queue in the current transaction; returns its id, or that of the job already waiting under the queueing lock.';

revoke all on function jobs.defer(text, jsonb, timestamptz, text, text, integer)
from public, anon, authenticated, service_role;
