-- Make sure people have a wallet in a currency. In order of person, so that two calls
-- for the same people wait for each other instead of deadlocking.

create or replace function ledger.open_wallets(p_owner_ids uuid[], p_currency text)
returns void
language sql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
  insert into ledger.accounts (purpose, owner_id, currency, floor)
  select 'wallet', o.id, p_currency, 0
  from (select distinct u.id from unnest(p_owner_ids) as u (id)) as o
  where not exists (
    select
    from ledger.accounts as a
    where a.owner_id = o.id
      and a.currency = p_currency
      and a.purpose = 'wallet'
  )
  order by o.id
  on conflict do nothing;
$$;

comment on function ledger.open_wallets(uuid[], text) is
'Create the missing wallets of people in one currency.';

revoke all on function ledger.open_wallets(uuid[], text) from public, anon, authenticated, service_role;
