-- Try now what waits for its next try: a job (12) that is scheduled, an event (e12) that is retried.
--
-- Its attempts stay counted. Answers what it is, null when nothing of this id waits for later.
-- Callers: operators, through hub jobs.

create or replace function jobs.retry_now(
  p_id text,
  p_reason text,
  p_operator text default null
)
returns text
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_what text;
begin
  if starts_with(p_id, 'e') then
    update jobs.outbox_retries as r
    set next_try_at = clock_timestamp()
    from jobs.outbox as o
    where r.outbox_id = substr(p_id, 2)::bigint
      and r.lease_id is null
      and o.id = r.outbox_id
    returning o.stream || ' ' || o.event into v_what;
  else
    update procrastinate.procrastinate_jobs as j
    set scheduled_at = null
    where j.id = p_id::bigint
      and j.status = 'todo'
      and j.scheduled_at > clock_timestamp()
    returning j.task_name into v_what;

    perform pg_notify('procrastinate_any_queue_v1', '{"type": "job_inserted", "job_id": 0}');
  end if;

  if v_what is not null then
    perform jobs.record_operation(
      'retried_now', 'job', p_id, p_reason, p_operator, jsonb_build_object('what', v_what)
    );
  end if;
  return v_what;
end;
$$;

comment on function jobs.retry_now(text, text, text) is
'Make a scheduled job or a retried event due at once; audited.';

revoke all on function jobs.retry_now(text, text, text)
from public, anon, authenticated, service_role;
