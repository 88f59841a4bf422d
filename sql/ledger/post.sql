-- Post transfers, all or none: lock, check, write both entries of each, move balances.
--
-- The one function that writes transfers and entries. Set-based: its cost is a fixed
-- number of statements whatever the number of transfers. Accounts are locked in id
-- order (after the holds, if any), so posts never deadlock with each other. A
-- transfer that settles a hold also releases all of what the hold kept.
-- Only a reversal may take an account below its floor; the shortfall is remembered as
-- reversal_debt and shrinks as money comes in. What else is in the same call may use
-- no more than that.
-- Callers: rules. Fails with invalid_transfer, insufficient_funds, already_reversed.

create or replace function ledger.post(p_postings ledger.posting[])
returns bigint[]
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_now timestamptz := app.now();
  v_ids bigint[];
  v_broken text;
begin
  if cardinality(p_postings) = 0 then
    return '{}'::bigint[];
  end if;

  perform
  from ledger.accounts as a
  where a.id in (
    select p.debit_account_id from unnest(p_postings) as p
    union
    select p.credit_account_id from unnest(p_postings) as p
  )
  order by a.id
  for no key update;

  if exists (
    select
    from unnest(p_postings) as p
    left join ledger.accounts as d on d.id = p.debit_account_id
    left join ledger.accounts as c on c.id = p.credit_account_id
    where (p.amount > 0 and d.id <> c.id and d.currency = c.currency) is not true
  ) then
    perform app.fail('invalid_transfer');
  end if;

  -- Booked never before what is already booked on these accounts, however long the locks took.
  v_now := greatest(v_now, (
    select max(e.created_at)
    from ledger.accounts as a
    inner join ledger.entries as e on e.account_id = a.id and e.version = a.version
    where a.id in (
      select p.debit_account_id from unnest(p_postings) as p
      union
      select p.credit_account_id from unnest(p_postings) as p
    )
  ));

  if exists (
    select
    from ledger.transfers as t
    where t.reverses_transfer_id in (select p.reverses_transfer_id from unnest(p_postings) as p)
  ) then
    perform app.fail('already_reversed');
  end if;

  with
  numbered as (
    select
      nextval(pg_get_serial_sequence('ledger.transfers', 'id')) as id,
      p.*,
      u.held_amount
    from unnest(p_postings) with ordinality as p
    cross join lateral (
      select coalesce((select h.amount from ledger.holds as h where h.id = p.hold_id), 0) as held_amount
    ) as u
    order by p.ordinality
  ),
  transfer as (
    insert into ledger.transfers (
      id, debit_account_id, credit_account_id, currency, amount, cause, cause_id,
      hold_id, reverses_transfer_id, event_at, created_at
    )
    overriding system value
    select
      n.id, n.debit_account_id, n.credit_account_id, a.currency, n.amount, n.cause, n.cause_id,
      n.hold_id, n.reverses_transfer_id, coalesce(n.event_at, v_now), v_now
    from numbered as n
    inner join ledger.accounts as a on a.id = n.debit_account_id
  ),
  leg as (
    select
      n.id, l.account_id, l.amount, l.released, n.cause, n.cause_id, n.event_at,
      row_number() over in_account as nth,
      sum(l.amount) over in_account as running
    from numbered as n
    cross join lateral (
      values
        (n.debit_account_id, -n.amount, n.held_amount),
        (n.credit_account_id, n.amount, 0)
    ) as l (account_id, amount, released)
    window in_account as (partition by l.account_id order by n.id)
  ),
  entry as (
    insert into ledger.entries (
      account_id, version, owner_id, transfer_id, amount, balance_after, cause, cause_id, event_at, created_at
    )
    select
      l.account_id, a.version + l.nth, a.owner_id, l.id, l.amount, a.posted + l.running,
      l.cause, l.cause_id, coalesce(l.event_at, v_now), v_now
    from leg as l
    inner join ledger.accounts as a on a.id = l.account_id
  ),
  moved as (
    update ledger.accounts as a
    set
      posted = a.posted + m.amount,
      held = a.held - m.released,
      version = a.version + m.entries,
      reversal_debt = greatest(0, least(
        a.floor - (a.posted + m.amount - a.held + m.released),
        a.floor - (a.posted + m.reversed - a.held)
      ))
    from (
      select
        l.account_id,
        sum(l.amount) as amount,
        sum(l.released) as released,
        count(*) as entries,
        coalesce(sum(l.amount) filter (where p.reverses_transfer_id is not null), 0) as reversed
      from leg as l
      inner join numbered as p on p.id = l.id
      group by l.account_id
    ) as m
    where a.id = m.account_id
  )
  select array_agg(n.id order by n.id) into v_ids from numbered as n;

  return v_ids;
exception when check_violation then
  get stacked diagnostics v_broken = constraint_name;
  if v_broken = 'accounts_above_floor' then
    perform app.fail('insufficient_funds');
  end if;
  raise;
end;
$$;

comment on function ledger.post(ledger.posting[]) is
'Post transfers atomically; returns their ids in the order given.';

revoke all on function ledger.post(ledger.posting[]) from public, anon, authenticated, service_role;
