-- One's own data, all of it, to take along.
--
-- Callers: anybody with an account, members or not: whoever may not act any more may still have
-- their data. An erased or deleted account has none.
-- Fails with not_authenticated, not_a_member, rate_limited.

create or replace function identity.export_my_data()
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_user_id uuid := app.user_id();
begin
  if not exists (select from auth.users as u where u.id = v_user_id and u.deleted_at is null)
    or exists (select from identity.erasures as e where e.user_id = v_user_id) then
    perform app.fail('not_a_member');
  end if;
  perform limits.spend('export_my_data');

  return identity.export_data(v_user_id);
end;
$$;

create or replace function public.export_my_data()
returns jsonb
language sql
volatile
set search_path = pg_catalog, pg_temp
as $$
  select identity.export_my_data();
$$;

comment on function identity.export_my_data() is 'The rule behind the door public.export_my_data.';
comment on function public.export_my_data() is
'Everything stored about you, as one JSON document: account, profile, clips, votes, wallets, statement, record.';

revoke all on function identity.export_my_data() from public, anon, authenticated, service_role;
revoke all on function public.export_my_data() from public, anon, authenticated, service_role;
grant execute on function identity.export_my_data() to authenticated;
grant execute on function public.export_my_data() to authenticated;
