-- The account behind the caller's wallet in one currency, or null where they have none yet.
--
-- Runs as the owner, so that a statement pays for one policy, that of ledger.entries, which
-- alone decides what it shows. Callers: anybody signed in. Fails with not_authenticated.

create or replace function ledger.own_wallet_id(p_currency text)
returns bigint
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = 'force_generic_plan'
as $$
declare
  v_user_id uuid := app.user_id();
begin
  return (
    select a.id
    from ledger.accounts as a
    where a.owner_id = v_user_id
      and a.currency = p_currency
      and a.purpose = 'wallet'
  );
end;
$$;

comment on function ledger.own_wallet_id(text) is
'The id of the caller''s wallet in a currency.';

revoke all on function ledger.own_wallet_id(text) from public, anon, authenticated, service_role;
grant execute on function ledger.own_wallet_id(text) to authenticated;
