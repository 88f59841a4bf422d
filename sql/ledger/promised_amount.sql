-- What is promised to an account: its pending credits, in minor units.
--
-- Whoever asks; ledger.pending_amount is for people and their own wallets. Callers: rules.

create or replace function ledger.promised_amount(p_account_id bigint)
returns bigint
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(sum(h.amount), 0)::bigint
  from ledger.holds as h
  where h.credit_account_id = p_account_id
    and h.state = 'pending';
$$;

comment on function ledger.promised_amount(bigint) is
'Sum of pending holds in favour of an account.';

revoke all on function ledger.promised_amount(bigint) from public, anon, authenticated, service_role;
