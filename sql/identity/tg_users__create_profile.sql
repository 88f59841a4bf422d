-- A profile appears when Supabase Auth creates the user.
--
-- Never aborts a sign-up: a failure is only a warning, and app.require_member()
-- creates the profile at the user's first call. Nothing is read from user_metadata,
-- which the user writes.

create or replace function identity.tg_users__create_profile()
returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform identity.create_profile(new.id);
  return null;
exception when others then
  raise warning 'no profile for user % yet: %', new.id, sqlerrm;
  return null;
end;
$$;

comment on function identity.tg_users__create_profile() is
'Creates the profile of a new user; never fails the sign-up.';

revoke all on function identity.tg_users__create_profile() from public, anon, authenticated, service_role;

create or replace trigger _500_create_profile
after insert on auth.users
for each row execute function identity.tg_users__create_profile();
