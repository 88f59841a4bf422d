-- Lease the retries that are due: the oldest alone, or as many of its kind as may go together.
--
-- Bounded in count and in bytes like fresh ones. Caller: jobs.take_events(), which holds the
-- stream's row. Null when none is due.

create or replace function jobs.lease_retries(
  p_stream jobs.streams,
  p_max integer,
  p_lease interval
)
returns uuid
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_alone boolean;
  v_items bigint[];
  v_lease_id uuid;
begin
  select r.alone into v_alone
  from jobs.outbox_retries as r
  where r.stream = p_stream.stream
    and r.lease_id is null
    and r.next_try_at <= clock_timestamp()
  order by r.next_try_at, r.outbox_id
  limit 1;

  if not found then
    return null;
  end if;

  with due as (
    select
      r.outbox_id,
      r.next_try_at
    from jobs.outbox_retries as r
    where r.stream = p_stream.stream
      and r.lease_id is null
      and r.next_try_at <= clock_timestamp()
      and r.alone = v_alone
    order by r.next_try_at, r.outbox_id
    limit case when v_alone then 1 else p_max end
  ),
  measured as (
    select
      d.outbox_id,
      row_number() over position as n,
      sum(100 + octet_length(o.topic) + octet_length(o.event) + octet_length(o.payload::text))
        over position as bytes
    from due as d
    join jobs.outbox as o on o.id = d.outbox_id
    window position as (order by d.next_try_at, d.outbox_id)
  )
  select array_agg(m.outbox_id order by m.n) into v_items
  from measured as m
  where m.n = 1 or m.bytes <= p_stream.batch_bytes;

  insert into jobs.stream_leases (stream, epoch, item_ids, size, expires_at)
  values (
    p_stream.stream, p_stream.epoch, v_items, cardinality(v_items), clock_timestamp() + p_lease
  )
  returning id into v_lease_id;

  update jobs.outbox_retries as r
  set lease_id = v_lease_id
  where r.outbox_id = any (v_items);

  update jobs.streams as s
  set retries_next = false
  where s.stream = p_stream.stream;

  return v_lease_id;
end;
$$;

comment on function jobs.lease_retries(jobs.streams, integer, interval) is
'Lease a stream''s due retries, one alone or several together; null when none is due.';

revoke all on function jobs.lease_retries(jobs.streams, integer, interval)
from public, anon, authenticated, service_role;
