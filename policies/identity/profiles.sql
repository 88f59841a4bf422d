-- Profiles are what everyone may see of a person. Nobody writes them directly:
-- update_profile is the door.

drop policy if exists select_everyone on public.profiles;
create policy select_everyone on public.profiles
for select to anon, authenticated
using (true);

revoke all on public.profiles from public, anon, authenticated, service_role;
grant select on public.profiles to anon, authenticated, service_role;
