-- Every setting with its value and bounds.
--
-- Callers: admins. Fails with not_permitted, rate_limited.

create or replace function settings.list_settings()
returns setof public.setting
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform app.require_role('admin');
  perform limits.spend('list_settings');

  return query
  select c.name, c.type, c.value, c.lowest, c.highest, c.needs_approval, c.description
  from settings.current() as c
  order by c.name;
end;
$$;

create or replace function public.list_settings()
returns setof public.setting
language sql
volatile
set search_path = pg_catalog, pg_temp
as $$
  select *
  from settings.list_settings();
$$;

comment on function settings.list_settings() is
'The rule behind the door public.list_settings.';
comment on function public.list_settings() is
'Admins: every setting, its value and bounds, and whether a change needs a second admin.';

revoke all on function settings.list_settings() from public, anon, authenticated, service_role;
revoke all on function public.list_settings() from public, anon, authenticated, service_role;
grant execute on function settings.list_settings() to authenticated;
grant execute on function public.list_settings() to authenticated;
