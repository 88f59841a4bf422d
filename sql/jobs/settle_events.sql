-- Record what became of a lease and decide what follows: the last step of take, call, settle.
--
-- p_outcome speaks for the whole lease; p_items [{"id", "outcome", "retry_at", "error"}] for single
-- events where the provider told them apart. Errors are {"class", "message", "trace"}.
--
--   delivered  done.
--   rejected   the provider will never take it: a batch is split into events sent alone, an event
--              judged by itself is a dead letter.
--   retry      not taken: a batch, or an event that fails while nothing else gets through either,
--              is an outage. The stream backs off, nobody's attempts are spent; after split_after
--              such batches their events are sent alone. With p_retry_at the provider asked to
--              wait: the stream sleeps until then and sends smaller batches.
--   unknown    nobody can tell. An event carries its id, a second sight of it is dropped by the
--              client: as retry.
--   abandoned  the holder was killed or told to stop: as unknown, and the stream goes on.
--
-- False, and nothing happens, when the lease was closed meanwhile. Locks the stream's row and, for
-- failed events, their retry rows. Callers: the worker; jobs.take_events() for leases past their time.

create or replace function jobs.settle_events(
  p_lease_id uuid,
  p_outcome text,
  p_retry_at timestamptz default null,
  p_error jsonb default null,
  p_items jsonb default '[]'
)
returns boolean
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_lease jobs.stream_leases;
  v_stream jobs.streams;
  v_only_id bigint;
  v_item record;
  v_failed integer := 0;
  v_judged boolean;
  v_counts boolean := false;
  v_outage boolean;
  v_next_try_at timestamptz := clock_timestamp();
begin
  if p_outcome not in ('delivered', 'rejected', 'retry', 'unknown', 'abandoned') then
    raise internal_error using message = format('unknown outcome %s', p_outcome);
  end if;

  select s.* into v_stream
  from jobs.streams as s
  join jobs.stream_leases as l on l.stream = s.stream
  where l.id = p_lease_id
  for no key update of s;

  select * into v_lease
  from jobs.stream_leases as l
  where l.id = p_lease_id
    and l.closed_at is null;

  if not found then
    return false;
  end if;

  -- an event on its own spends an attempt only when others got through since its last try
  if v_lease.size = 1 and p_retry_at is null then
    select
      i.outbox_id,
      coalesce(v_stream.delivered_at > coalesce(r.last_tried_at, v_lease.taken_at), false)
    into v_only_id, v_counts
    from jobs.lease_items(p_lease_id) as i
    left join jobs.outbox_retries as r on r.outbox_id = i.outbox_id;
  end if;

  v_judged := v_lease.size = 1 and p_outcome = 'rejected';
  v_outage := p_outcome in ('retry', 'unknown') and not v_counts;
  if v_outage then
    v_next_try_at := coalesce(
      p_retry_at,
      v_next_try_at + jobs.backoff(
        v_stream.outages + 1, v_stream.backoff_base, v_stream.backoff_cap
      )
    );
  end if;

  if p_outcome <> 'delivered' or p_items <> '[]' then
    for v_item in
      select
        i.outbox_id,
        coalesce(e.outcome, p_outcome) as outcome,
        coalesce(e.retry_at, p_retry_at) as retry_at,
        coalesce(e.error, p_error) as error,
        e.id is not null or v_judged or v_counts as judged
      from jobs.lease_items(p_lease_id) as i
      left join jsonb_to_recordset(p_items) as e (
        id bigint, outcome text, retry_at timestamptz, error jsonb
      ) on e.id = i.outbox_id
      where coalesce(e.outcome, p_outcome) <> 'delivered'
    loop
      v_failed := v_failed + 1;

      if v_item.judged then
        perform jobs.fail_event(
          v_stream, v_item.outbox_id, v_item.outcome, v_item.retry_at, v_item.error
        );
      else
        insert into jobs.outbox_retries as r (outbox_id, stream, stalls, alone, next_try_at)
        values (
          v_item.outbox_id,
          v_stream.stream,
          (p_retry_at is null)::integer,
          v_lease.size > 1 and p_outcome = 'rejected',
          v_next_try_at
        )
        on conflict (outbox_id) do update
        set stalls = r.stalls + excluded.stalls,
          alone = r.alone or excluded.alone
            or r.stalls + excluded.stalls >= v_stream.split_after,
          next_try_at = excluded.next_try_at,
          last_tried_at = excluded.last_tried_at,
          lease_id = null;
      end if;
    end loop;

    if p_outcome <> 'delivered' and p_retry_at is null and not v_judged and not v_counts then
      insert into jobs.attempts (
        lease_id, outbox_id, stream, outcome, error_class, error_message, error_trace
      )
      values (
        p_lease_id,
        v_only_id,
        v_stream.stream,
        p_outcome,
        p_error ->> 'class',
        p_error ->> 'message',
        p_error ->> 'trace'
      );
    end if;
  end if;

  delete from jobs.outbox_retries as r
  where r.lease_id = p_lease_id;

  update jobs.stream_leases as l
  set closed_at = clock_timestamp(),
    outcome = p_outcome,
    delivered = l.size - v_failed
  where l.id = p_lease_id;

  update jobs.streams as s
  set delivered_at = case
      when v_failed < v_lease.size then clock_timestamp()
      else s.delivered_at
    end,
    outages = case
      when v_failed < v_lease.size then 0
      when v_outage and p_retry_at is null then s.outages + 1
      else s.outages
    end,
    paused_until = case when v_outage then v_next_try_at else s.paused_until end,
    batch_limit = case
      when v_outage and p_retry_at is not null then greatest(1, v_lease.size / 2)
      when v_failed = 0 then least(1000, s.batch_limit + 1 + s.batch_limit / 10)
      else s.batch_limit
    end
  where s.stream = v_stream.stream;

  return true;
end;
$$;

comment on function jobs.settle_events(uuid, text, timestamptz, jsonb, jsonb) is
'Record the outcome of a lease; false when it was closed meanwhile and nothing was recorded.';

revoke all on function jobs.settle_events(uuid, text, timestamptz, jsonb, jsonb)
from public, anon, authenticated, service_role;
