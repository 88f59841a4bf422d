-- Lease the stream's next range of fresh events and move the cursor behind it.
--
-- Bounded in count and in bytes, at least one. The horizon and the rows come from one snapshot.
-- Caller: jobs.take_events(), which holds the stream's row. Null when there are none.

create or replace function jobs.lease_fresh(
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
  v_range record;
  v_lease_id uuid;
begin
  with fresh as (
    select
      o.xid,
      o.id,
      o.topic,
      o.event,
      o.payload
    from jobs.outbox as o
    where o.stream = p_stream.stream
      and (o.xid, o.id) > (p_stream.cursor_xid, p_stream.cursor_id)
      and o.xid < pg_snapshot_xmin(pg_current_snapshot())
    order by o.xid, o.id
    limit p_max
  ),
  measured as (
    select
      f.xid,
      f.id,
      row_number() over position as n,
      sum(100 + octet_length(f.topic) + octet_length(f.event) + octet_length(f.payload::text))
        over position as bytes
    from fresh as f
    window position as (order by f.xid, f.id)
  ),
  batch as (
    select
      m.xid,
      m.id
    from measured as m
    where m.n = 1 or m.bytes <= p_stream.batch_bytes
  )
  select
    b.xid as hi_xid,
    b.id as hi_id,
    count(*) over () as size,
    max(b.id) over () as greatest_id
  into v_range
  from batch as b
  order by b.xid desc, b.id desc
  limit 1;

  if not found then
    return null;
  end if;

  update jobs.streams as s
  set cursor_xid = v_range.hi_xid,
    cursor_id = v_range.hi_id,
    served_id = greatest(s.served_id, v_range.greatest_id),
    retries_next = true
  where s.stream = p_stream.stream;

  insert into jobs.stream_leases (
    stream, epoch, lo_xid, lo_id, hi_xid, hi_id, size, expires_at
  )
  values (
    p_stream.stream, p_stream.epoch, p_stream.cursor_xid, p_stream.cursor_id,
    v_range.hi_xid, v_range.hi_id, v_range.size, clock_timestamp() + p_lease
  )
  returning id into v_lease_id;

  return v_lease_id;
end;
$$;

comment on function jobs.lease_fresh(jobs.streams, integer, interval) is
'Lease the next range of a stream''s fresh events; null when there are none.';

revoke all on function jobs.lease_fresh(jobs.streams, integer, interval)
from public, anon, authenticated, service_role;
