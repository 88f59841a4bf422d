-- The value of a setting that lives in settings.entries, as it is written there.
--
-- Callers: rules; they cast it to what its type says. Settings with another home are read there.

create or replace function settings.value(p_name text)
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select e.value
  from settings.entries as e
  where e.name = p_name;
$$;

comment on function settings.value(text) is
'The value of a setting of settings.entries.';

revoke all on function settings.value(text) from public, anon, authenticated, service_role;
