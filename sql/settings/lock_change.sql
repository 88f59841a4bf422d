-- A proposed change that is still open, locked together with its setting.
--
-- Callers: settings.approve_setting_change, settings.reject_setting_change.
-- Fails with setting_change_not_found, setting_change_closed.

create or replace function settings.lock_change(p_change_id uuid)
returns settings.changes
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_change settings.changes;
begin
  perform settings.lock_setting(c.name)
  from settings.changes as c
  where c.id = p_change_id;

  select c.*
  into v_change
  from settings.changes as c
  where c.id = p_change_id
  for no key update;

  if not found then
    perform app.fail('setting_change_not_found');
  end if;
  if v_change.state <> 'proposed' then
    perform app.fail('setting_change_closed', format('it is %s', v_change.state));
  end if;
  if v_change.expires_at <= app.now() then
    perform app.fail('setting_change_closed', 'it has expired');
  end if;

  return v_change;
end;
$$;

comment on function settings.lock_change(uuid) is
'Lock an open proposal, or refuse.';

revoke all on function settings.lock_change(uuid) from public, anon, authenticated, service_role;
