-- What an account's posted balance was at a past moment of the booking clock.
--
-- Walks the account's entries back from the newest: meant for support and reports.
-- Callers: rules and operators.

create or replace function ledger.balance_at(p_account_id bigint, p_at timestamptz)
returns bigint
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select coalesce((
    select e.balance_after
    from ledger.entries as e
    where e.account_id = p_account_id
      and e.created_at <= p_at
    order by e.version desc
    limit 1
  ), 0);
$$;

comment on function ledger.balance_at(bigint, timestamptz) is
'Posted balance of an account as booked at a past moment, in minor units.';

revoke all on function ledger.balance_at(bigint, timestamptz) from public, anon, authenticated, service_role;
