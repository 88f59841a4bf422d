-- A hold resolves exactly once and never changes otherwise, whoever asks.
--
-- Only pending → settled, voided or expired passes, with everything else as it was.
-- Fails with hold_resolved, append_only.

create or replace function ledger.tg_holds__resolve_once()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  if tg_op <> 'UPDATE' then
    perform app.fail('append_only', format('%s on ledger.holds', lower(tg_op)));
  end if;
  if old.state <> 'pending' or new.state = 'pending' then
    perform app.fail('hold_resolved');
  end if;
  if row(
      old.id, old.debit_account_id, old.credit_account_id, old.currency, old.amount,
      old.cause, old.cause_id, old.expires_at, old.created_at
    )
    is distinct from
    row(
      new.id, new.debit_account_id, new.credit_account_id, new.currency, new.amount,
      new.cause, new.cause_id, new.expires_at, new.created_at
    ) then
    perform app.fail('append_only', 'update on ledger.holds');
  end if;

  return new;
end;
$$;

comment on function ledger.tg_holds__resolve_once() is
'Lets a hold resolve once; refuses every other change.';

revoke all on function ledger.tg_holds__resolve_once() from public, anon, authenticated, service_role;

create or replace trigger _100_resolve_once
before update or delete on ledger.holds
for each row execute function ledger.tg_holds__resolve_once();

create or replace trigger _110_refuse_truncate
before truncate on ledger.holds
for each statement execute function ledger.tg_holds__resolve_once();

alter table ledger.holds enable always trigger _100_resolve_once;
alter table ledger.holds enable always trigger _110_refuse_truncate;
