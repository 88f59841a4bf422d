-- Approve a proposed change as its second admin: it takes effect at once, and only once.
--
-- Two accounts are not two people: whoever approves was an admin before the proposal, and was not
-- made one by its proposer. Refused when it is one's own, when it has been decided, has expired, or its proposer is no
-- admin any more; and when the setting is no longer what the proposal was made against.
-- Callers: admins. Audited. Locks the setting by name, then the change. Fails with not_permitted,
-- rate_limited, setting_change_not_found, own_setting_change, approver_not_independent,
-- setting_change_closed,
-- setting_not_found, invalid_input, idempotency_key_reused, idempotency_key_in_use.

create or replace function settings.approve_setting_change(p_change_id uuid, p_idempotency_key text)
returns public.setting_change
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_admin_id uuid := app.require_role('admin');
  v_key text := app.idempotency_key(p_idempotency_key);
  v_answer jsonb;
  v_change settings.changes;
begin
  perform limits.spend('approve_setting_change');

  v_answer := app.claim_idempotency_key(v_admin_id, v_key, 'approve_setting_change', jsonb_build_object(
    'change_id', p_change_id
  ));
  if v_answer is not null then
    return jsonb_populate_record(null::public.setting_change, v_answer);
  end if;

  v_change := settings.lock_change(p_change_id);
  -- The lock may have been waited for.
  perform app.require_role('admin');

  if v_change.proposed_by = v_admin_id then
    perform app.fail('own_setting_change');
  end if;
  if not exists (
    select
    from identity.user_roles as r
    where r.user_id = v_admin_id
      and r.role = 'admin'
      and r.granted_at <= v_change.proposed_at
      and r.granted_by is distinct from v_change.proposed_by
  ) then
    perform app.fail('approver_not_independent');
  end if;
  if not exists (
    select
    from identity.user_roles as r
    where r.user_id = v_change.proposed_by
      and r.role = 'admin'
      and app.is_member(r.user_id)
  ) then
    perform app.fail('setting_change_closed', 'who proposed it is no admin any more');
  end if;
  if not exists (
    select
    from settings.current() as c
    where c.name = v_change.name
      and c.value = v_change.old_value
  ) then
    perform app.fail('setting_change_closed', 'the setting has another value by now');
  end if;
  perform settings.require_value(v_change.name, v_change.new_value);

  update settings.changes as c
  set
    state = 'applied',
    decided_by = v_admin_id,
    decided_at = app.now()
  where c.id = p_change_id
  returning c.* into v_change;

  perform settings.apply(
    v_change.name, v_change.new_value, v_change.old_value, v_change.reason,
    jsonb_build_object('change_id', v_change.id, 'proposed_by', v_change.proposed_by)
  );
  perform app.store_idempotent_response(v_admin_id, v_key, to_jsonb(settings.describe(v_change)));
  return settings.describe(v_change);
end;
$$;

create or replace function public.approve_setting_change(
  change_id uuid,
  idempotency_key text default null
)
returns public.setting_change
language sql
volatile
set search_path = pg_catalog, pg_temp
as $$
  select settings.approve_setting_change(
    approve_setting_change.change_id, approve_setting_change.idempotency_key
  );
$$;

comment on function settings.approve_setting_change(uuid, text) is
'The rule behind the door public.approve_setting_change.';
comment on function public.approve_setting_change(uuid, text) is
'Admins: approve another admin''s change of a dangerous setting; it takes effect at once.';

revoke all on function settings.approve_setting_change(uuid, text) from public, anon, authenticated, service_role;
revoke all on function public.approve_setting_change(uuid, text) from public, anon, authenticated, service_role;
grant execute on function settings.approve_setting_change(uuid, text) to authenticated;
grant execute on function public.approve_setting_change(uuid, text) to authenticated;
