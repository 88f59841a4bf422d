-- The caller's id if the caller is a member; the first line of every member's rule.
--
-- Also mends a missing profile: the sign-up trigger never fails a sign-up, so it may
-- have had to give up. Fails with not_authenticated, not_a_member.

create or replace function app.require_member()
returns uuid
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_user_id uuid := app.user_id();
begin
  if not app.is_member(v_user_id) then
    perform app.fail('not_a_member');
  end if;

  if not exists (select from public.profiles as p where p.id = v_user_id) then
    perform identity.create_profile(v_user_id);
  end if;

  return v_user_id;
end;
$$;

comment on function app.require_member() is
'The caller''s id, or a refusal unless the caller is a member with a profile.';

revoke all on function app.require_member() from public, anon, authenticated, service_role;
