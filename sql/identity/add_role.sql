-- Record a role and audit it, without asking who calls.
--
-- Callers: identity.grant_role, and the owner for the first admin.
-- Fails with user_not_found, invalid_input.

create or replace function identity.add_role(
  p_user_id uuid,
  p_role public.app_role,
  p_reason text
)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_reason text := app.require_text('reason', p_reason, 1, 2000);
begin
  if p_role is null then
    perform app.fail('invalid_input', 'role: must be given');
  end if;
  if not exists (select from public.profiles as p where p.id = p_user_id)
    or exists (select from identity.erasures as e where e.user_id = p_user_id) then
    perform app.fail('user_not_found');
  end if;

  insert into identity.user_roles (user_id, role, granted_by, granted_at)
  values (p_user_id, p_role, auth.uid(), app.now())
  on conflict do nothing;

  if found then
    perform audit.record(
      'role_granted', 'user', p_user_id::text, v_reason, jsonb_build_object('role', p_role)
    );
  end if;
end;
$$;

comment on function identity.add_role(uuid, public.app_role, text) is
'Record and audit a role; the caller is checked by identity.grant_role.';

revoke all on function identity.add_role(uuid, public.app_role, text) from public, anon, authenticated, service_role;
