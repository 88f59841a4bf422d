-- Give up a proposed change: one's own, or another admin's.
--
-- Callers: admins. Audited. Fails with not_permitted, rate_limited, setting_change_not_found,
-- setting_change_closed, invalid_input, idempotency_key_reused, idempotency_key_in_use.

create or replace function settings.reject_setting_change(
  p_change_id uuid,
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
  v_reason text := app.require_text('reason', p_reason, 1, 2000);
  v_answer jsonb;
  v_change settings.changes;
begin
  perform limits.spend('reject_setting_change');

  v_answer := app.claim_idempotency_key(v_admin_id, v_key, 'reject_setting_change', jsonb_build_object(
    'change_id', p_change_id, 'reason', v_reason
  ));
  if v_answer is not null then
    return jsonb_populate_record(null::public.setting_change, v_answer);
  end if;

  perform settings.lock_change(p_change_id);
  -- The lock may have been waited for.
  perform app.require_role('admin');

  update settings.changes as c
  set
    state = 'rejected',
    decided_by = v_admin_id,
    decided_at = app.now()
  where c.id = p_change_id
  returning c.* into v_change;

  perform audit.record(
    'setting_change_rejected', 'setting', v_change.name, v_reason,
    jsonb_build_object('from', v_change.old_value, 'to', v_change.new_value, 'change_id', v_change.id)
  );
  perform app.store_idempotent_response(v_admin_id, v_key, to_jsonb(settings.describe(v_change)));
  return settings.describe(v_change);
end;
$$;

create or replace function public.reject_setting_change(
  change_id uuid,
  reason text,
  idempotency_key text default null
)
returns public.setting_change
language sql
volatile
set search_path = pg_catalog, pg_temp
as $$
  select settings.reject_setting_change(
    reject_setting_change.change_id, reject_setting_change.reason, reject_setting_change.idempotency_key
  );
$$;

comment on function settings.reject_setting_change(uuid, text, text) is
'The rule behind the door public.reject_setting_change.';
comment on function public.reject_setting_change(uuid, text, text) is
'Admins: give up a proposed change of a setting, with a reason.';

revoke all on function settings.reject_setting_change(uuid, text, text) from public, anon, authenticated, service_role;
revoke all on function public.reject_setting_change(uuid, text, text) from public, anon, authenticated, service_role;
grant execute on function settings.reject_setting_change(uuid, text, text) to authenticated;
grant execute on function public.reject_setting_change(uuid, text, text) to authenticated;
