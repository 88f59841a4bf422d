-- Refuse entries that do not come as the two balanced halves of a transfer.
--
-- Each names its account's owner, who may then read it.
-- ledger.post writes them so; this holds for whoever else may ever insert. Looks
-- once per statement at the new rows only; entries_one_debit_one_credit keeps a later
-- statement from adding to an old transfer. Fails with invalid_transfer.

create or replace function ledger.tg_entries__check_balance()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  if exists (
    select
    from added as e
    inner join ledger.transfers as t on t.id = e.transfer_id
    inner join ledger.accounts as a on a.id = e.account_id
    group by t.id, t.amount, t.debit_account_id, t.credit_account_id
    having (
      count(*) = 2
      and bool_and(
        e.owner_id is not distinct from a.owner_id
        and (
          (e.account_id = t.debit_account_id and e.amount = -t.amount)
          or (e.account_id = t.credit_account_id and e.amount = t.amount)
        )
      )
    ) is not true
  ) then
    perform app.fail('invalid_transfer');
  end if;

  return null;
end;
$$;

comment on function ledger.tg_entries__check_balance() is
'Refuses entries other than the two halves of their transfer.';

revoke all on function ledger.tg_entries__check_balance() from public, anon, authenticated, service_role;

create or replace trigger _200_check_balance
after insert on ledger.entries
referencing new table as added
for each statement execute function ledger.tg_entries__check_balance();
