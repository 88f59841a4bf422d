-- Every feature flag, and whether it is on for the caller.
--
-- Tells nothing of percentages and lists. Callers: anybody signed in.
-- Fails with not_authenticated.

create or replace function flags.my_flags()
returns table (flag text, is_on boolean)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
  select f.flag, flags.includes(f, u.id)
  from (select app.user_id() as id) as u
  left join flags.flags as f on true
  where f.flag is not null
  order by f.flag;
$$;

create or replace function public.my_flags()
returns table (flag text, is_on boolean)
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select *
  from flags.my_flags();
$$;

comment on function flags.my_flags() is
'The rule behind the door public.my_flags.';
comment on function public.my_flags() is
'Every feature flag and whether it is on for you.';

revoke all on function flags.my_flags() from public, anon, authenticated, service_role;
revoke all on function public.my_flags() from public, anon, authenticated, service_role;
grant execute on function flags.my_flags() to authenticated;
grant execute on function public.my_flags() to authenticated;
