-- Settle pending holds: each becomes a posted transfer, of its whole amount or, with
-- p_amounts, of a part; the rest goes back to the debited account.
--
-- Holds are locked by id, then ledger.post locks the accounts by id. A hold resolves
-- once: one that is not pending any more refuses the whole call.
-- Callers: rules. Fails with hold_resolved, invalid_transfer.

create or replace function ledger.settle_holds(
  p_hold_ids bigint[],
  p_amounts bigint[] default null
)
returns bigint[]
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_postings ledger.posting[];
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

  if exists (
    select
    from unnest(p_hold_ids, p_amounts) as w (hold_id, amount)
    left join ledger.holds as h on h.id = w.hold_id
    where (coalesce(w.amount, h.amount) between 1 and h.amount) is not true
  ) then
    perform app.fail('invalid_transfer', 'a part of a hold is between 1 and its amount');
  end if;

  with settled as (
    update ledger.holds as h
    set
      state = 'settled',
      settled_amount = coalesce(w.amount, h.amount),
      resolved_at = app.now()
    from unnest(p_hold_ids, p_amounts) as w (hold_id, amount)
    where h.id = w.hold_id
    returning h.*
  )
  select array_agg(
    row(
      s.debit_account_id, s.credit_account_id, s.settled_amount, s.cause, s.cause_id, s.created_at, s.id, null
    )::ledger.posting
    order by s.id
  )
  into v_postings
  from settled as s;

  return ledger.post(coalesce(v_postings, '{}'));
end;
$$;

comment on function ledger.settle_holds(bigint[], bigint[]) is
'Turn pending holds into transfers, wholly or in part; returns the transfers'' ids.';

revoke all on function ledger.settle_holds(bigint[], bigint[]) from public, anon, authenticated, service_role;
