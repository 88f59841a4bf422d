-- Every feature flag as staff set it.
--
-- Callers: admins. Fails with not_permitted, rate_limited.

create or replace function flags.list_flags()
returns setof public.feature_flag
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform app.require_role('admin');
  perform limits.spend('list_flags');

  return query
  select (flags.describe(f)).*
  from flags.flags as f
  order by f.flag;
end;
$$;

create or replace function public.list_flags()
returns setof public.feature_flag
language sql
volatile
set search_path = pg_catalog, pg_temp
as $$
  select *
  from flags.list_flags();
$$;

comment on function flags.list_flags() is
'The rule behind the door public.list_flags.';
comment on function public.list_flags() is
'Admins: every feature flag, its switch, percentage and listed people.';

revoke all on function flags.list_flags() from public, anon, authenticated, service_role;
revoke all on function public.list_flags() from public, anon, authenticated, service_role;
grant execute on function flags.list_flags() to authenticated;
grant execute on function public.list_flags() to authenticated;
