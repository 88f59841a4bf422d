-- Give a user their profile, once. Called when Supabase Auth creates the user, and
-- again by app.require_member() in case that had failed.
--
-- The handle is made of the id, and of chance when somebody has chosen that very one;
-- update_profile changes it.

create or replace function identity.create_profile(p_user_id uuid)
returns void
language sql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
  insert into public.profiles (id, handle)
  values (p_user_id, 'user_' || right(replace(p_user_id::text, '-', ''), 20))
  on conflict do nothing;

  insert into public.profiles (id, handle)
  select p_user_id, 'user_' || left(replace(gen_random_uuid()::text, '-', ''), 20)
  where not exists (select from public.profiles as p where p.id = p_user_id)
  on conflict (id) do nothing;

  insert into identity.private_profiles (user_id)
  select p.id
  from public.profiles as p
  where p.id = p_user_id
  on conflict do nothing;
$$;

comment on function identity.create_profile(uuid) is
'Create a user''s profile rows if they are missing.';

revoke all on function identity.create_profile(uuid) from public, anon, authenticated, service_role;
