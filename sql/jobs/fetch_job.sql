-- Claim the next job: procrastinate's own fetch, but not from paused queues.
--
-- The pauses are read in the claiming statement, so a pause needs no restart and no message to
-- workers; what is being claimed while it commits still runs. Without pauses this costs one look at
-- an empty table. With one, the queues that have jobs are found by an index, a step for each, and
-- the fetch steps over the paused queue's jobs, which the others feel when they are very many.
--
-- Beside the arguments stands `_context`, which the worker takes out before the task sees them: the
-- request's id and trace, and how long the job waited since it was due. The row is empty when there
-- is nothing to do. Callers: the worker, instead of procrastinate_fetch_job_v2().

create or replace function jobs.fetch_job(p_queues text[], p_worker_id bigint)
returns procrastinate.procrastinate_jobs
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_job procrastinate.procrastinate_jobs;
  v_deferred_at timestamptz;
  v_request jobs.contexts;
begin
  if exists (select from jobs.pauses as p where p.kind = 'queue') then
    p_queues := jobs.open_queues(p_queues);
  end if;

  v_job := procrastinate.procrastinate_fetch_job_v2(p_queues, p_worker_id);
  if v_job.id is null then
    return v_job;
  end if;

  select min(e.at) into v_deferred_at
  from procrastinate.procrastinate_events as e
  where e.job_id = v_job.id
    and e.type = 'deferred';

  select * into v_request
  from jobs.contexts as c
  where c.job_id = v_job.id;

  v_job.args := v_job.args || jsonb_build_object('_context', jsonb_build_object(
    'waited', extract(epoch from clock_timestamp() - greatest(v_job.scheduled_at, v_deferred_at)),
    'request_id', v_request.request_id,
    'traceparent', v_request.traceparent,
    'tracestate', v_request.tracestate
  ));
  return v_job;
end;
$$;

comment on function jobs.fetch_job(text[], bigint) is
'Claim the next job that is due in a queue that is not paused; an empty row when there is none.';

revoke all on function jobs.fetch_job(text[], bigint)
from public, anon, authenticated, service_role;
