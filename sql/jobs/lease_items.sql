-- The events of a lease: its range of the stream, or the retries it lists.
--
-- A range is read by position and so only makes sense in the epoch it was taken in.
-- Callers: the queue's own rules and operators.

create or replace function jobs.lease_items(p_lease_id uuid)
returns table (outbox_id bigint)
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select o.id
  from jobs.stream_leases as l
  join jobs.outbox as o
    on o.stream = l.stream
    and (o.xid, o.id) > (l.lo_xid, l.lo_id)
    and (o.xid, o.id) <= (l.hi_xid, l.hi_id)
  where l.id = p_lease_id
    and l.item_ids is null
  union all
  select i
  from jobs.stream_leases as l
  cross join unnest(l.item_ids) as i
  where l.id = p_lease_id;
$$;

comment on function jobs.lease_items(uuid) is
'The outbox ids of one lease.';

revoke all on function jobs.lease_items(uuid) from public, anon, authenticated, service_role;
