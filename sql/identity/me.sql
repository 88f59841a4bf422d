-- Oneself in one call: profile, roles, wallets, features.
--
-- Callers: anybody signed in, members or not; is_member tells which. Before the
-- first profile row exists the profile's fields are null. Dropped first: its shape was another in
-- the release before, and both change in one transaction. Fails with not_authenticated.

drop function if exists public.me();
drop function if exists identity.me();

create or replace function identity.me()
returns public.me
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
  select
    u.id,
    p.handle,
    p.display_name,
    p.avatar_path,
    p.bio,
    s.locale,
    s.timezone,
    a.phone_confirmed_at,
    app.is_member(u.id),
    array(
      select r.role
      from identity.user_roles as r
      where r.user_id = u.id
      order by r.role
    ),
    array(
      select row(w.currency, w.posted, w.held, w.posted - w.held, ledger.pending_amount(w.id))::public.wallet_balance
      from ledger.accounts as w
      where w.owner_id = u.id
        and w.purpose = 'wallet'
      order by w.currency
    ),
    p.created_at,
    flags.on_for(u.id)
  from (select app.user_id() as id) as u
  left join public.profiles as p on p.id = u.id
  left join identity.private_profiles as s on s.user_id = u.id
  left join auth.users as a on a.id = u.id;
$$;

create or replace function public.me()
returns public.me
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select identity.me();
$$;

comment on function identity.me() is 'The rule behind the door public.me.';
comment on function public.me() is
'Yourself: profile, whether you are a member, roles, wallets (minor units), features that are on.';

revoke all on function identity.me() from public, anon, authenticated, service_role;
revoke all on function public.me() from public, anon, authenticated, service_role;
grant execute on function identity.me() to authenticated;
grant execute on function public.me() to authenticated;
