-- One event failed by its own fault: spend an attempt, or give it up.
--
-- A rejection is final. A retry the provider gave a time for is a snooze and spends nothing.
-- Caller: jobs.settle_events(), which holds the stream's row.

create or replace function jobs.fail_event(
  p_stream jobs.streams,
  p_outbox_id bigint,
  p_outcome text,
  p_retry_at timestamptz,
  p_error jsonb
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_attempts integer;
  v_snoozed boolean := p_outcome <> 'rejected' and p_retry_at is not null;
begin
  insert into jobs.outbox_retries as r (outbox_id, stream, attempts, next_try_at)
  values (p_outbox_id, p_stream.stream, (not v_snoozed)::integer, clock_timestamp())
  on conflict (outbox_id) do update
  set attempts = r.attempts + excluded.attempts,
    last_tried_at = excluded.last_tried_at,
    lease_id = null
  returning r.attempts into v_attempts;

  if v_snoozed then
    update jobs.outbox_retries as r
    set next_try_at = p_retry_at
    where r.outbox_id = p_outbox_id;
    return;
  end if;

  insert into jobs.attempts (
    outbox_id, stream, outcome, error_class, error_message, error_trace, request_id
  )
  select
    o.id,
    o.stream,
    p_outcome,
    p_error ->> 'class',
    p_error ->> 'message',
    p_error ->> 'trace',
    o.request_id
  from jobs.outbox as o
  where o.id = p_outbox_id;

  if p_outcome <> 'rejected' and v_attempts < p_stream.max_attempts then
    update jobs.outbox_retries as r
    set next_try_at = clock_timestamp()
      + jobs.backoff(v_attempts, p_stream.backoff_base, p_stream.backoff_cap)
    where r.outbox_id = p_outbox_id;
    return;
  end if;

  delete from jobs.outbox_retries as r
  where r.outbox_id = p_outbox_id;

  insert into jobs.dead_letters (
    outbox_id, stream, topic, event, reason, attempts, error_class, error_message, request_id
  )
  select
    o.id,
    o.stream,
    o.topic,
    o.event,
    case
      when p_outcome = 'rejected' then 'rejected'
      when p_outcome = 'abandoned' then 'killed_workers'
      else 'exhausted'
    end,
    v_attempts,
    p_error ->> 'class',
    p_error ->> 'message',
    o.request_id
  from jobs.outbox as o
  where o.id = p_outbox_id;
end;
$$;

comment on function jobs.fail_event(jobs.streams, bigint, text, timestamptz, jsonb) is
'Count one event''s own failure; schedule its next try or make it a dead letter.';

revoke all on function jobs.fail_event(jobs.streams, bigint, text, timestamptz, jsonb)
from public, anon, authenticated, service_role;
