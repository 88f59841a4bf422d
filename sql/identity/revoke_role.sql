-- Take a role from somebody; it ends at once, whatever their token says.
--
-- All admin rows are locked first, in one order, so that two admins removing each
-- other cannot leave nobody. Taking a role that is not held changes nothing.
-- Callers: admins. Fails with not_permitted, last_admin, user_not_found, invalid_input.

create or replace function identity.revoke_role(
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
  v_reason text;
  v_admins uuid[];
begin
  perform app.require_role('admin');
  v_reason := app.require_text('reason', p_reason, 1, 2000);

  if p_role is null then
    perform app.fail('invalid_input', 'role: must be given');
  end if;
  if not exists (select from public.profiles as p where p.id = p_user_id) then
    perform app.fail('user_not_found');
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
end;
$$;

create or replace function public.revoke_role(user_id uuid, role public.app_role, reason text)
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $$
  select identity.revoke_role(revoke_role.user_id, revoke_role.role, revoke_role.reason);
$$;

comment on function identity.revoke_role(uuid, public.app_role, text) is
'The rule behind the door public.revoke_role.';
comment on function public.revoke_role(uuid, public.app_role, text) is
'Admins: take a role from somebody, with a reason. Audited; the last admin stays.';

revoke all on function identity.revoke_role(uuid, public.app_role, text) from public, anon, authenticated, service_role;
revoke all on function public.revoke_role(uuid, public.app_role, text) from public, anon, authenticated, service_role;
grant execute on function identity.revoke_role(uuid, public.app_role, text) to authenticated;
grant execute on function public.revoke_role(uuid, public.app_role, text) to authenticated;
