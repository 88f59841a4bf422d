-- Take a role from somebody; it ends at once, whatever their token says.
--
-- All admin rows are locked first, in one order, so that two admins removing each
-- other cannot leave nobody. Taking a role that is not held changes nothing.
-- A repeat under its key does not revoke again what was granted meanwhile.
-- Callers: admins. Fails with not_permitted, rate_limited, last_admin, user_not_found,
-- invalid_input, idempotency_key_reused, idempotency_key_in_use.

drop function if exists public.revoke_role(uuid, public.app_role, text);
drop function if exists identity.revoke_role(uuid, public.app_role, text);

create or replace function identity.revoke_role(
  p_user_id uuid,
  p_role public.app_role,
  p_reason text,
  p_idempotency_key text
)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_admin_id uuid := app.require_role('admin');
  v_key text := app.idempotency_key(p_idempotency_key);
  v_reason text := app.require_text('reason', p_reason, 1, 2000);
  v_admins uuid[];
begin
  perform limits.spend('revoke_role');

  if p_role is null then
    perform app.fail('invalid_input', 'role: must be given');
  end if;
  if not exists (select from public.profiles as p where p.id = p_user_id) then
    perform app.fail('user_not_found');
  end if;

  if app.claim_idempotency_key(v_admin_id, v_key, 'revoke_role', jsonb_build_object(
      'user_id', p_user_id, 'role', p_role, 'reason', v_reason
    )) is not null then
    return;
  end if;

  if p_role = 'admin' then
    perform
    from identity.user_roles as r
    where r.role = 'admin'
    order by r.user_id
    for update;

    -- Read again: whoever we waited for may have removed one, or us. Only members act.
    v_admins := array(
      select r.user_id
      from identity.user_roles as r
      where r.role = 'admin'
        and app.is_member(r.user_id)
    );
    perform app.require_role('admin');
    if v_admins = array[p_user_id] then
      perform app.fail('last_admin');
    end if;
  end if;

  delete from identity.user_roles as r
  where r.user_id = p_user_id
    and r.role = p_role;

  if found then
    perform audit.record(
      'role_revoked', 'user', p_user_id::text, v_reason, jsonb_build_object('role', p_role)
    );
  end if;

  perform app.store_idempotent_response(v_admin_id, v_key, 'null');
end;
$$;

create or replace function public.revoke_role(
  user_id uuid,
  role public.app_role,
  reason text,
  idempotency_key text default null
)
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $$
  select identity.revoke_role(
    revoke_role.user_id, revoke_role.role, revoke_role.reason, revoke_role.idempotency_key
  );
$$;

comment on function identity.revoke_role(uuid, public.app_role, text, text) is
'The rule behind the door public.revoke_role.';
comment on function public.revoke_role(uuid, public.app_role, text, text) is
'Admins: take a role from somebody, with a reason. Audited; the last admin stays.';

revoke all on function identity.revoke_role(uuid, public.app_role, text, text) from public, anon, authenticated, service_role;
revoke all on function public.revoke_role(uuid, public.app_role, text, text) from public, anon, authenticated, service_role;
grant execute on function identity.revoke_role(uuid, public.app_role, text, text) to authenticated;
grant execute on function public.revoke_role(uuid, public.app_role, text, text) to authenticated;
