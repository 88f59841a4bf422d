-- The caller's id if the caller is a member who holds one of the roles.
--
-- Fails with not_authenticated, not_a_member, not_permitted.

create or replace function app.require_role(variadic p_roles public.app_role[])
returns uuid
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_user_id uuid := app.require_member();
begin
  if not exists (
    select
    from identity.user_roles as r
    where r.user_id = v_user_id
      and r.role = any (p_roles)
  ) then
    perform app.fail('not_permitted');
  end if;

  return v_user_id;
end;
$$;

comment on function app.require_role(public.app_role[]) is
'The caller''s id, or a refusal unless the caller holds one of the roles.';

revoke all on function app.require_role(public.app_role[]) from public, anon, authenticated, service_role;
