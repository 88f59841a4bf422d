-- Give somebody a role. Granting a role they hold changes nothing.
--
-- Callers: admins, not for themselves; the very first admin is made by the database's
-- owner: select identity.add_role('<user id>', 'admin', 'first admin').
-- A repeat under its key does not grant again what was revoked meanwhile.
-- Fails with not_permitted, rate_limited, own_role, user_not_found, invalid_input,
-- idempotency_key_reused, idempotency_key_in_use.

drop function if exists public.grant_role(uuid, public.app_role, text);
drop function if exists identity.grant_role(uuid, public.app_role, text);

create or replace function identity.grant_role(
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
begin
  perform limits.spend('grant_role');

  if app.claim_idempotency_key(v_admin_id, v_key, 'grant_role', jsonb_build_object(
      'user_id', p_user_id, 'role', p_role, 'reason', v_reason
    )) is not null then
    return;
  end if;

  if p_user_id is not distinct from v_admin_id then
    perform app.fail('own_role');
  end if;

  perform identity.add_role(p_user_id, p_role, v_reason);
  perform app.store_idempotent_response(v_admin_id, v_key, 'null');
end;
$$;

create or replace function public.grant_role(
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
  select identity.grant_role(
    grant_role.user_id, grant_role.role, grant_role.reason, grant_role.idempotency_key
  );
$$;

comment on function identity.grant_role(uuid, public.app_role, text, text) is
'The rule behind the door public.grant_role.';
comment on function public.grant_role(uuid, public.app_role, text, text) is
'Admins: give somebody a role, with a reason. Audited.';

revoke all on function identity.grant_role(uuid, public.app_role, text, text) from public, anon, authenticated, service_role;
revoke all on function public.grant_role(uuid, public.app_role, text, text) from public, anon, authenticated, service_role;
grant execute on function identity.grant_role(uuid, public.app_role, text, text) to authenticated;
grant execute on function public.grant_role(uuid, public.app_role, text, text) to authenticated;
