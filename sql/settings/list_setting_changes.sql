-- Changes of settings, newest first: applied, given up, and those that wait for a second admin.
--
-- Page by passing the last change_id as before_change. Callers: admins. Fails with not_permitted,
-- rate_limited, invalid_input.

create or replace function settings.list_setting_changes(p_before_change uuid, p_max_rows integer)
returns setof public.setting_change
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform app.require_role('admin');
  perform limits.spend('list_setting_changes');

  if (p_max_rows between 1 and 200) is not true then
    perform app.fail('invalid_input', 'max_rows: 1 to 200');
  end if;

  return query
  select (settings.describe(c)).*
  from settings.changes as c
  where p_before_change is null
    or c.id < p_before_change
  order by c.id desc
  limit p_max_rows;
end;
$$;

create or replace function public.list_setting_changes(
  before_change uuid default null,
  max_rows integer default 50
)
returns setof public.setting_change
language sql
volatile
set search_path = pg_catalog, pg_temp
as $$
  select *
  from settings.list_setting_changes(
    list_setting_changes.before_change, list_setting_changes.max_rows
  );
$$;

comment on function settings.list_setting_changes(uuid, integer) is
'The rule behind the door public.list_setting_changes.';
comment on function public.list_setting_changes(uuid, integer) is
'Admins: changes of settings, newest first, with those that wait for approval; page with before_change.';

revoke all on function settings.list_setting_changes(uuid, integer) from public, anon, authenticated, service_role;
revoke all on function public.list_setting_changes(uuid, integer) from public, anon, authenticated, service_role;
grant execute on function settings.list_setting_changes(uuid, integer) to authenticated;
grant execute on function public.list_setting_changes(uuid, integer) to authenticated;
