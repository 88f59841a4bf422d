-- The environment this database belongs to; the first who names one decides.
--
-- Sandbox data and real data never mix: a worker or deploy of another environment stops on the
-- answer. Callers: hub deploy and hub worker, as the owner.

create or replace function settings.claim_environment(p_environment text)
returns text
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  insert into settings.deployment (environment)
  values (p_environment)
  on conflict (singleton) do nothing;

  return (select d.environment from settings.deployment as d);
end;
$$;

comment on function settings.claim_environment(text) is
'Stamp a new database with its environment; returns the one it has.';

revoke all on function settings.claim_environment(text) from public, anon, authenticated, service_role;
