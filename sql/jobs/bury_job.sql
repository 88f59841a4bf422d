-- Make a unit job a dead letter, with its last recorded error.
--
-- Callers: jobs.record_attempt(), jobs.rescue_stalled(). The job's own row is theirs to finish.

create or replace function jobs.bury_job(
  p_job_id bigint,
  p_reason text
)
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $$
  insert into jobs.dead_letters (
    job_id, task, args, reason, attempts, error_class, error_message, request_id
  )
  select
    j.id,
    j.task_name,
    j.args,
    p_reason,
    (select count(*) from jobs.attempts as a where a.job_id = j.id and a.outcome <> 'snoozed'),
    e.error_class,
    e.error_message,
    (select c.request_id from jobs.contexts as c where c.job_id = j.id)
  from procrastinate.procrastinate_jobs as j
  left join lateral (
    select
      a.error_class,
      a.error_message
    from jobs.attempts as a
    where a.job_id = j.id
    order by a.id desc
    limit 1
  ) as e on true
  where j.id = p_job_id;
$$;

comment on function jobs.bury_job(bigint, text) is
'Write the dead letter of a unit job.';

revoke all on function jobs.bury_job(bigint, text) from public, anon, authenticated, service_role;
