-- Supabase Auth's custom access token hook: tells clients the roles a person holds, as the claim
-- app_roles, an array of public.app_role in their order.
--
-- The claim is for screens: what to show, not what is allowed. A token lives on after a role was
-- revoked; rules and policies read identity.user_roles. Whatever stood under that name before is
-- replaced; user_metadata, which the user writes, is not looked at. All other claims stay as they
-- were, the required ones among them.
-- A sign-in is never refused because of us: whatever fails here, a lock waited for too long
-- included, is a warning, and the token goes out without the claim
-- (docs/decisions/access-token-hook-never-refuses.md).
-- Callers: supabase_auth_admin alone. One index scan.

create or replace function identity.custom_access_token(event jsonb)
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '500ms'
as $$
declare
  v_claims jsonb := '{}'::jsonb;
begin
  if jsonb_typeof(event -> 'claims') = 'object' then
    v_claims := (event -> 'claims') - 'app_roles';
  end if;

  return jsonb_build_object('claims', v_claims || jsonb_build_object('app_roles', array(
    select r.role
    from identity.user_roles as r
    where r.user_id = (event ->> 'user_id')::uuid
    order by r.role
  )));
exception when others then
  raise warning 'no app_roles in an access token: %', sqlerrm;
  return jsonb_build_object('claims', v_claims);
end;
$$;

comment on function identity.custom_access_token(jsonb) is
'Supabase Auth hook: adds the claim app_roles to access tokens. For screens, not for rights.';

revoke all on function identity.custom_access_token(jsonb) from public, anon, authenticated, service_role;
grant execute on function identity.custom_access_token(jsonb) to supabase_auth_admin;
