-- Forget slots that have been full for an hour, a bounded number at a time; return how many.
--
-- A full slot and a missing one are the same, so nothing is lost. full_at has no index, which
-- keeps every update of it within its page; the search stops at p_limit.
-- Run hourly by the worker until it returns 0.

create or replace function limits.purge_idle_buckets(p_limit integer)
returns integer
language sql
volatile
set search_path = pg_catalog, pg_temp
as $$
  with idle as (
    select b.subject, b.door, b.slot
    from limits.buckets as b
    where b.full_at < app.now() - interval '1 hour'
    limit p_limit
    for update skip locked
  ),
  gone as (
    delete from limits.buckets as b
    using idle
    where b.subject = idle.subject
      and b.door = idle.door
      and b.slot = idle.slot
    returning 1
  )
  select count(*)::integer from gone;
$$;

comment on function limits.purge_idle_buckets(integer) is
'Delete up to p_limit slots that have long been full; returns how many.';

revoke all on function limits.purge_idle_buckets(integer) from public, anon, authenticated, service_role;
