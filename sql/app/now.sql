-- The one clock of every rule: the transaction's time, unless a test has stopped it.

create or replace function app.now()
returns timestamptz
language sql
stable
parallel safe
security definer
set search_path = pg_catalog, pg_temp
as $$
  select coalesce((select c.frozen_at from app.clock as c), pg_catalog.now());
$$;

comment on function app.now() is
'The time rules go by. Tests can stop it; see app.freeze_clock.';

revoke all on function app.now() from public, anon, authenticated, service_role;
grant execute on function app.now() to anon, authenticated, service_role;
