-- Change a setting; one that needs two admins becomes a proposal for another one to approve.
--
-- A proposal takes the place of an earlier one for the same setting. Settings are locked by name,
-- so that proposals, approvals and plain changes of one come one after the other.
-- Callers: admins. Audited. Fails with not_permitted, rate_limited, setting_not_found,
-- setting_unchanged, invalid_input, idempotency_key_reused, idempotency_key_in_use.

create or replace function settings.change_setting(
  p_name text,
  p_value text,
  p_reason text,
  p_idempotency_key text
)
returns public.setting_change
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_admin_id uuid := app.require_role('admin');
  v_key text := app.idempotency_key(p_idempotency_key);
  v_name text := app.require_text('name', p_name, 1, 200);
  v_reason text := app.require_text('reason', p_reason, 1, 2000);
  v_now timestamptz := app.now();
  v_value text;
  v_answer jsonb;
  v_setting record;
  v_change settings.changes;
begin
  perform limits.spend('change_setting');

  v_answer := app.claim_idempotency_key(v_admin_id, v_key, 'change_setting', jsonb_build_object(
    'name', v_name, 'value', p_value, 'reason', v_reason
  ));
  if v_answer is not null then
    return jsonb_populate_record(null::public.setting_change, v_answer);
  end if;

  perform settings.lock_setting(v_name);
  -- The lock may have been waited for.
  perform app.require_role('admin');
  v_value := settings.require_value(v_name, p_value);

  select c.*
  into strict v_setting
  from settings.current() as c
  where c.name = v_name;

  if v_setting.value = v_value then
    perform app.fail('setting_unchanged');
  end if;

  update settings.changes as c
  set
    state = 'superseded',
    decided_by = v_admin_id,
    decided_at = v_now
  where c.name = v_name
    and c.state = 'proposed';

  if v_setting.needs_approval then
    insert into settings.changes as c (
      name, old_value, new_value, reason, state, proposed_by, proposed_at, expires_at
    )
    values (
      v_name, v_setting.value, v_value, v_reason, 'proposed', v_admin_id, v_now,
      v_now + settings.value('settings.approval_expires_after')::bigint * interval '1 second'
    )
    returning c.* into v_change;

    perform audit.record(
      'setting_change_proposed', 'setting', v_name, v_reason,
      jsonb_build_object('from', v_setting.value, 'to', v_value, 'change_id', v_change.id)
    );
  else
    insert into settings.changes as c (
      name, old_value, new_value, reason, state, proposed_by, proposed_at, decided_by, decided_at
    )
    values (v_name, v_setting.value, v_value, v_reason, 'applied', v_admin_id, v_now, v_admin_id, v_now)
    returning c.* into v_change;

    perform settings.apply(
      v_name, v_value, v_setting.value, v_reason, jsonb_build_object('change_id', v_change.id)
    );
  end if;

  perform app.store_idempotent_response(v_admin_id, v_key, to_jsonb(settings.describe(v_change)));
  return settings.describe(v_change);
end;
$$;

create or replace function public.change_setting(
  name text,
  value text,
  reason text,
  idempotency_key text default null
)
returns public.setting_change
language sql
volatile
set search_path = pg_catalog, pg_temp
as $$
  select settings.change_setting(
    change_setting.name, change_setting.value, change_setting.reason, change_setting.idempotency_key
  );
$$;

comment on function settings.change_setting(text, text, text, text) is
'The rule behind the door public.change_setting.';
comment on function public.change_setting(text, text, text, text) is
'Admins: change a setting, with a reason. A dangerous one waits for another admin: approve_setting_change.';

revoke all on function settings.change_setting(text, text, text, text) from public, anon, authenticated, service_role;
revoke all on function public.change_setting(text, text, text, text) from public, anon, authenticated, service_role;
grant execute on function settings.change_setting(text, text, text, text) to authenticated;
grant execute on function public.change_setting(text, text, text, text) to authenticated;
