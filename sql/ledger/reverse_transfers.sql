-- Undo posted transfers by opposite ones, each at most once.
--
-- The only movement that may take an account below its floor: money paid for
-- something that turned out untrue is owed back. A reversal is not reversed.
-- Callers: rules. Fails with already_reversed, invalid_transfer (unknown or itself
-- a reversal).

create or replace function ledger.reverse_transfers(p_transfer_ids bigint[])
returns bigint[]
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_postings ledger.posting[];
begin
  select array_agg(
    row(
      t.credit_account_id, t.debit_account_id, t.amount, t.cause || '_reversed', t.cause_id, null, null, t.id
    )::ledger.posting
    order by t.id
  )
  into v_postings
  from ledger.transfers as t
  where t.id = any (p_transfer_ids)
    and t.reverses_transfer_id is null;

  if coalesce(cardinality(v_postings), 0) <> cardinality(p_transfer_ids) then
    perform app.fail('invalid_transfer', 'only existing transfers that are not reversals are reversed');
  end if;

  return ledger.post(coalesce(v_postings, '{}'));
end;
$$;

comment on function ledger.reverse_transfers(bigint[]) is
'Post the opposite of each transfer, once; returns the new transfers'' ids.';

revoke all on function ledger.reverse_transfers(bigint[]) from public, anon, authenticated, service_role;
