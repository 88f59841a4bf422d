-- Resolve pending holds without moving money: 'voided' by a rule, 'expired' by the
-- clock. What they kept is available again, and first pays what the account owes back.
--
-- Locks holds by id, then their debited accounts by id. A hold resolves once.
-- Callers: rules. Fails with hold_resolved.

create or replace function ledger.release_holds(
  p_hold_ids bigint[],
  p_state ledger.hold_state default 'voided'
)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform
  from ledger.holds as h
  where h.id = any (p_hold_ids)
  order by h.id
  for no key update;

  if (
    select count(*)
    from ledger.holds as h
    where h.id = any (p_hold_ids)
      and h.state = 'pending'
  ) <> cardinality(p_hold_ids) then
    perform app.fail('hold_resolved');
  end if;

  perform
  from ledger.accounts as a
  where a.id in (select h.debit_account_id from ledger.holds as h where h.id = any (p_hold_ids))
  order by a.id
  for no key update;

  with released as (
    update ledger.holds as h
    set
      state = p_state,
      resolved_at = app.now()
    where h.id = any (p_hold_ids)
    returning h.debit_account_id, h.amount
  )
  update ledger.accounts as a
  set
    held = a.held - m.amount,
    reversal_debt = greatest(0, a.floor - (a.posted - a.held + m.amount))
  from (
    select r.debit_account_id, sum(r.amount) as amount
    from released as r
    group by r.debit_account_id
  ) as m
  where a.id = m.debit_account_id;
end;
$$;

comment on function ledger.release_holds(bigint[], ledger.hold_state) is
'Void or expire pending holds; what they kept is available again.';

revoke all on function ledger.release_holds(bigint[], ledger.hold_state) from public, anon, authenticated, service_role;
