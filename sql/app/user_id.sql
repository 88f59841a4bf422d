-- The signed-in user's id, or a refusal: the one door to the caller.
--
-- Never null, so that no comparison with it can pass by being unknown.
-- Fails with not_authenticated.

create or replace function app.user_id()
returns uuid
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_user_id uuid := auth.uid();
begin
  if v_user_id is null then
    perform app.fail('not_authenticated');
  end if;

  return v_user_id;
end;
$$;

comment on function app.user_id() is
'The JWT''s subject; refuses with not_authenticated when there is none.';

revoke all on function app.user_id() from public, anon, authenticated, service_role;
grant execute on function app.user_id() to anon, authenticated, service_role;
