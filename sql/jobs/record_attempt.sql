-- A unit job did not succeed: record why, and answer when it is tried again, or null for never.
--
-- p_outcome: failed spends an attempt; snoozed does not (the provider named p_retry_at); rejected
-- is final. A job given up becomes a dead letter, unless its task has no max_attempts: those come
-- again by themselves. Callers: the worker's middleware, which tells procrastinate.

create or replace function jobs.record_attempt(
  p_job_id bigint,
  p_outcome text,
  p_error jsonb default null,
  p_retry_at timestamptz default null
)
returns timestamptz
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_job procrastinate.procrastinate_jobs;
  v_settings jobs.settings;
  v_max_attempts integer;
  v_failures integer;
begin
  if p_outcome not in ('failed', 'snoozed', 'rejected') then
    raise internal_error using message = format('unknown outcome %s', p_outcome);
  end if;

  select * into strict v_job
  from procrastinate.procrastinate_jobs as j
  where j.id = p_job_id;

  insert into jobs.attempts (
    job_id, task, outcome, error_class, error_message, error_trace, request_id
  )
  values (
    p_job_id,
    v_job.task_name,
    p_outcome,
    p_error ->> 'class',
    p_error ->> 'message',
    p_error ->> 'trace',
    (select c.request_id from jobs.contexts as c where c.job_id = p_job_id)
  );

  if p_outcome = 'snoozed' then
    return p_retry_at;
  end if;

  select c.max_attempts into v_max_attempts
  from jobs.task_catalog() as c
  where c.task = v_job.task_name;

  -- a task the catalog does not know is a dead letter, not a task without a limit
  if found and v_max_attempts is null then
    return null;
  end if;

  select count(*) into v_failures
  from jobs.attempts as a
  where a.job_id = p_job_id
    and a.outcome = 'failed';

  if p_outcome = 'failed' and v_failures < v_max_attempts then
    select * into strict v_settings
    from jobs.settings;

    return clock_timestamp()
      + jobs.backoff(v_failures, v_settings.backoff_base, v_settings.backoff_cap);
  end if;

  perform jobs.bury_job(
    p_job_id, case when p_outcome = 'rejected' then 'rejected' else 'exhausted' end
  );
  return null;
end;
$$;

comment on function jobs.record_attempt(bigint, text, jsonb, timestamptz) is
'Record a unit job''s failure; returns when to try again, null when it is over.';

revoke all on function jobs.record_attempt(bigint, text, jsonb, timestamptz)
from public, anon, authenticated, service_role;
