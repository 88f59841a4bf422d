-- Put jobs whose worker is gone back on the queue.
--
-- A job is stalled when its worker left or has not been heard of for p_stalled_after. Each is
-- handled in its own savepoint, so that one odd job does not keep the others stalled: it is reported
-- and left for the next round. Where another job already waits under the same queueing lock, that
-- one does the work and the stalled one goes. A job that took p_max_rescues workers down with it is
-- a dead letter; for tasks that come again by themselves it just ends.
-- Locks one job's row at a time, skipping rows that others hold. Callers: the worker.

create or replace function jobs.rescue_stalled(
  p_stalled_after interval default '30 seconds',
  p_max_rescues integer default 3
)
returns table (
  job_id bigint,
  task text,
  action text
)
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_job procrastinate.procrastinate_jobs;
  v_rescues integer;
begin
  for v_job in
    select j.*
    from procrastinate.procrastinate_jobs as j
    left join procrastinate.procrastinate_workers as w on w.id = j.worker_id
    where j.status = 'doing'
      and (w.id is null or w.last_heartbeat < clock_timestamp() - p_stalled_after)
    order by j.id
    limit 1000
    for update of j skip locked
  loop
    job_id := v_job.id;
    task := v_job.task_name;

    begin
      insert into jobs.attempts (job_id, task, outcome, error_class, request_id)
      values (
        v_job.id,
        v_job.task_name,
        'stalled',
        'WorkerLost',
        (select c.request_id from jobs.contexts as c where c.job_id = v_job.id)
      );

      select count(*) into v_rescues
      from jobs.attempts as a
      where a.job_id = v_job.id
        and a.outcome = 'stalled';

      if v_rescues >= p_max_rescues then
        if not exists (
          select
          from jobs.task_catalog() as c
          where c.task = v_job.task_name
            and c.max_attempts is null
        ) then
          perform jobs.bury_job(v_job.id, 'killed_workers');
        end if;
        perform procrastinate.procrastinate_finish_job_v1(v_job.id, 'failed', false);
        action := 'given_up';
      elsif v_job.abort_requested then
        perform procrastinate.procrastinate_finish_job_v1(v_job.id, 'aborted', false);
        action := 'aborted';
      elsif exists (
        select
        from procrastinate.procrastinate_jobs as j
        where j.queueing_lock = v_job.queueing_lock
          and j.status = 'todo'
      ) then
        perform procrastinate.procrastinate_finish_job_v1(v_job.id, 'aborted', true);
        action := 'merged';
      else
        perform procrastinate.procrastinate_retry_job_v2(v_job.id, null, null, null, null);
        action := 'queued';
      end if;

      return next;
    exception when others then
      raise warning 'job % was not rescued: %', v_job.id, sqlerrm;
    end;
  end loop;
end;
$$;

comment on function jobs.rescue_stalled(interval, integer) is
'Requeue, merge or give up each job whose worker is gone; returns what was done.';

revoke all on function jobs.rescue_stalled(interval, integer) from public, anon, authenticated, service_role;
