-- Whether a test has stopped the clock. The worker asks before it starts.

create or replace function app.clock_is_frozen()
returns boolean
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select exists (select from app.clock);
$$;

comment on function app.clock_is_frozen() is
'True while app.now() stands still; never in production.';

revoke all on function app.clock_is_frozen() from public, anon, authenticated, service_role;
