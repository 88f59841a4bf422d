-- Give somebody a role. Granting a role they hold changes nothing.
--
-- Callers: admins, not for themselves; the very first admin is made by the database's
-- owner: select identity.add_role('<user id>', 'admin', 'first admin').
-- Fails with not_permitted, own_role, user_not_found, invalid_input.

create or replace function identity.grant_role(
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
  v_admin_id uuid := app.require_role('admin');
begin
  if p_user_id is not distinct from v_admin_id then
    perform app.fail('own_role');
  end if;

  perform identity.add_role(p_user_id, p_role, p_reason);
end;
$$;

create or replace function public.grant_role(user_id uuid, role public.app_role, reason text)
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $$
  select identity.grant_role(grant_role.user_id, grant_role.role, grant_role.reason);
$$;

comment on function identity.grant_role(uuid, public.app_role, text) is
'The rule behind the door public.grant_role.';
comment on function public.grant_role(uuid, public.app_role, text) is
'Admins: give somebody a role, with a reason. Audited.';

revoke all on function identity.grant_role(uuid, public.app_role, text) from public, anon, authenticated, service_role;
revoke all on function public.grant_role(uuid, public.app_role, text) from public, anon, authenticated, service_role;
grant execute on function identity.grant_role(uuid, public.app_role, text) to authenticated;
grant execute on function public.grant_role(uuid, public.app_role, text) to authenticated;
