-- What is promised to one of the caller's own wallets; 0 for anybody else's.

create or replace function ledger.pending_amount(p_account_id bigint)
returns bigint
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(sum(h.amount), 0)::bigint
  from ledger.holds as h
  inner join ledger.accounts as a on a.id = h.credit_account_id
  where h.credit_account_id = p_account_id
    and h.state = 'pending'
    and a.owner_id = auth.uid();
$$;

comment on function ledger.pending_amount(bigint) is
'Sum of pending holds in favour of one''s own wallet, in minor units.';

revoke all on function ledger.pending_amount(bigint) from public, anon, authenticated, service_role;
grant execute on function ledger.pending_amount(bigint) to authenticated;
