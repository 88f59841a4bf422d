-- Forget keys past their time, a bounded number at a time; return how many.
--
-- The promise to clients is 24 hours; the setting app.keep_idempotency_keys says how much longer.
-- Run hourly by the worker until it returns 0.

create or replace function app.purge_idempotency_keys(p_limit integer)
returns integer
language sql
volatile
set search_path = pg_catalog, pg_temp
as $$
  with old as (
    select k.user_id, k.key
    from app.idempotency_keys as k
    where k.created_at < app.now() - settings.value('app.keep_idempotency_keys')::bigint * interval '1 second'
    order by k.created_at
    limit p_limit
    for update skip locked
  ),
  gone as (
    delete from app.idempotency_keys as k
    using old
    where k.user_id = old.user_id
      and k.key = old.key
    returning 1
  )
  select count(*)::integer from gone;
$$;

comment on function app.purge_idempotency_keys(integer) is
'Delete up to p_limit keys past their time; returns how many.';

revoke all on function app.purge_idempotency_keys(integer) from public, anon, authenticated, service_role;
