-- Take the next batch of a stream that is due: the first step of take, call, settle.
--
-- Fresh events are served in the order of (xid, id), strictly below the oldest transaction still
-- running: all rows there are final, so one that took its id early and commits late is not passed
-- over. Serving them moves the stream's cursor and writes one lease row; the events themselves are
-- not touched. Retries take turns with them, one alone or several together. A lease whose holder
-- did not settle it in time is closed first and its events become retries.
--
-- The stream's row is locked, so consumers take one after another (a few milliseconds each) and
-- call their provider side by side. Returns no row when nothing is due, the stream backs off or
-- an operator has paused it.
-- Callers: the worker.

create or replace function jobs.take_events(
  p_stream text,
  p_max integer,
  p_lease interval
)
returns table (
  lease_id uuid,
  id bigint,
  topic text,
  event text,
  payload jsonb,
  request_id text
)
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_stream jobs.streams;
  v_max integer;
  v_lease_id uuid;
begin
  select * into strict v_stream
  from jobs.streams as s
  where s.stream = p_stream
  for no key update;

  if jobs.has_moved(v_stream) then
    perform jobs.rebase_stream(p_stream);
  end if;

  perform jobs.settle_events(l.id, 'abandoned')
  from jobs.stream_leases as l
  where l.stream = p_stream
    and l.closed_at is null
    and l.expires_at <= clock_timestamp();

  select * into v_stream
  from jobs.streams as s
  where s.stream = p_stream;

  if v_stream.paused_until > clock_timestamp() or exists (
    select
    from jobs.pauses as p
    where p.kind = 'stream'
      and p.name = p_stream
  ) then
    return;
  end if;

  v_max := least(p_max, v_stream.batch_limit);

  if v_stream.retries_next then
    v_lease_id := coalesce(
      jobs.lease_retries(v_stream, v_max, p_lease),
      jobs.lease_fresh(v_stream, v_max, p_lease)
    );
  else
    v_lease_id := coalesce(
      jobs.lease_fresh(v_stream, v_max, p_lease),
      jobs.lease_retries(v_stream, v_max, p_lease)
    );
  end if;

  return query
  select
    v_lease_id,
    o.id,
    o.topic,
    o.event,
    o.payload || jsonb_build_object('id', o.id::text),
    o.request_id
  from jobs.lease_items(v_lease_id) as i
  join jobs.outbox as o on o.id = i.outbox_id
  order by o.xid, o.id;
end;
$$;

comment on function jobs.take_events(text, integer, interval) is
'Lease the next due events of a stream, at most p_max; each row carries the lease to settle.';

revoke all on function jobs.take_events(text, integer, interval)
from public, anon, authenticated, service_role;
