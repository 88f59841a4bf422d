-- Cancel a waiting job, or ask a running one to stop; audited. Null when it was over already.
--
-- Waits for whoever holds the job's row. Callers: operators, through hub jobs.

create or replace function jobs.cancel_job(
  p_job_id bigint,
  p_reason text default null
)
returns text
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_state text;
begin
  if procrastinate.procrastinate_cancel_job_v1(p_job_id, true, false) is null then
    return null;
  end if;

  select case when j.status = 'cancelled' then 'cancelled' else 'asked_to_stop' end
  into v_state
  from procrastinate.procrastinate_jobs as j
  where j.id = p_job_id;

  perform audit.record(
    'job_cancelled', 'job', p_job_id::text, p_reason, jsonb_build_object('state', v_state)
  );
  return v_state;
end;
$$;

comment on function jobs.cancel_job(bigint, text) is
'Cancel a job: cancelled when it waited, asked_to_stop when it runs, null when it was over.';

revoke all on function jobs.cancel_job(bigint, text) from public, anon, authenticated, service_role;
