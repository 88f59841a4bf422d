-- Place holds, all or none: the amounts leave what is available, not yet the account.
--
-- Debited accounts are locked in id order; credited ones are not touched, so a promise
-- to a busy wallet waits for nobody. Callers: rules.
-- Fails with invalid_transfer, insufficient_funds.

create or replace function ledger.place_holds(p_holds ledger.hold_request[])
returns bigint[]
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_ids bigint[];
  v_short boolean;
begin
  perform
  from ledger.accounts as a
  where a.id in (select h.debit_account_id from unnest(p_holds) as h)
  order by a.id
  for no key update;

  if exists (
    select
    from unnest(p_holds) as h
    left join ledger.accounts as d on d.id = h.debit_account_id
    left join ledger.accounts as c on c.id = h.credit_account_id
    where (h.amount > 0 and d.id <> c.id and d.currency = c.currency) is not true
  ) then
    perform app.fail('invalid_transfer');
  end if;

  select bool_or(a.posted - a.held - m.amount < a.floor)
  into v_short
  from ledger.accounts as a
  inner join (
    select h.debit_account_id, sum(h.amount) as amount
    from unnest(p_holds) as h
    group by h.debit_account_id
  ) as m on m.debit_account_id = a.id;

  if v_short then
    perform app.fail('insufficient_funds');
  end if;

  with
  placed as (
    insert into ledger.holds (
      debit_account_id, credit_account_id, currency, amount, cause, cause_id, expires_at, created_at
    )
    select
      h.debit_account_id, h.credit_account_id, a.currency, h.amount, h.cause, h.cause_id, h.expires_at, app.now()
    from unnest(p_holds) with ordinality as h
    inner join ledger.accounts as a on a.id = h.debit_account_id
    order by h.ordinality
    returning id
  ),
  kept as (
    update ledger.accounts as a
    set held = a.held + m.amount
    from (
      select h.debit_account_id, sum(h.amount) as amount
      from unnest(p_holds) as h
      group by h.debit_account_id
    ) as m
    where a.id = m.debit_account_id
  )
  select array_agg(p.id order by p.id) into v_ids from placed as p;

  return coalesce(v_ids, '{}');
end;
$$;

comment on function ledger.place_holds(ledger.hold_request[]) is
'Place holds atomically; returns their ids in the order given.';

revoke all on function ledger.place_holds(ledger.hold_request[]) from public, anon, authenticated, service_role;
