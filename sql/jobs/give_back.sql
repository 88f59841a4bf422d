-- Put a job back that the worker holding it does not know: its task, or its arguments, are of
-- another release. While a release is rolled out that is ordinary, and the job must not be lost.
--
-- It is due again after a pause that grows to a minute, spends no attempt, and may be given back as
-- often as need be while this schema knows the task: a worker that does is on its way. One that no
-- release knows any more is a dead letter after twenty times. Where another job already waits under
-- the same queueing lock, that one does the work. Locks the job's row. Callers: the worker.

create or replace function jobs.give_back(p_job_id bigint)
returns text
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_job procrastinate.procrastinate_jobs;
begin
  select * into v_job
  from procrastinate.procrastinate_jobs as j
  where j.id = p_job_id
  for update;

  if v_job.status is distinct from 'doing' then
    return 'gone';
  end if;

  if v_job.abort_requested then
    perform procrastinate.procrastinate_finish_job_v1(p_job_id, 'aborted', false);
    return 'aborted';
  end if;

  if v_job.attempts >= 20 and not exists (
    select
    from jobs.task_catalog() as c
    where c.task = v_job.task_name
  ) then
    perform jobs.record_attempt(p_job_id, 'rejected', jsonb_build_object(
      'class', 'UnknownTask', 'message', 'no release of the schema or the worker knows this task'
    ));
    perform procrastinate.procrastinate_finish_job_v1(p_job_id, 'failed', false);
    return 'given_up';
  end if;

  if exists (
    select
    from procrastinate.procrastinate_jobs as j
    where j.queueing_lock = v_job.queueing_lock
      and j.status = 'todo'
  ) then
    perform procrastinate.procrastinate_finish_job_v1(p_job_id, 'aborted', true);
    return 'merged';
  end if;

  begin
    perform procrastinate.procrastinate_retry_job_v2(
      p_job_id,
      clock_timestamp() + jobs.backoff(v_job.attempts + 1, '1 second', '1 minute'),
      null, null, null
    );
  exception when unique_violation then
    -- the other one's transaction had not committed when we looked
    perform procrastinate.procrastinate_finish_job_v1(p_job_id, 'aborted', true);
    return 'merged';
  end;

  return 'given_back';
end;
$$;

comment on function jobs.give_back(bigint) is
'Put back a job that the worker holding it does not know; returns what became of it.';

revoke all on function jobs.give_back(bigint) from public, anon, authenticated, service_role;
