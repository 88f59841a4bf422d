-- Prove the books: every check, whether it holds, and how many rows break it.
--
-- Reads all entries, holds and accounts in one snapshot; minutes at tens of millions
-- of entries, so run it from a job or by hand. Callers: operators and jobs.

create or replace function ledger.verify()
returns table (check_name text, holds boolean, violations bigint)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
  with
  by_account as (
    select
      e.account_id,
      sum(e.amount) as posted,
      count(*) as entries,
      max(e.version) as last_version
    from ledger.entries as e
    group by e.account_id
  ),
  pending_holds as (
    select h.debit_account_id, sum(h.amount) as held
    from ledger.holds as h
    where h.state = 'pending'
    group by h.debit_account_id
  ),
  found (check_name, violations) as (
    select 'every transfer has one debit and one credit entry of its amount', count(*)
    from ledger.transfers as t
    left join ledger.entries as d
      on d.transfer_id = t.id and d.amount < 0
    left join ledger.entries as c
      on c.transfer_id = t.id and c.amount > 0
    where (
      d.account_id = t.debit_account_id
      and c.account_id = t.credit_account_id
      and d.amount = -t.amount
      and c.amount = t.amount
    ) is not true
    union all
    select 'every entry belongs to a transfer', abs(e.entries - 2 * t.transfers)
    from (select count(*) as entries from ledger.entries) as e
    cross join (select count(*) as transfers from ledger.transfers) as t
    union all
    select 'every entry names its account''s owner', count(*)
    from ledger.entries as e
    inner join ledger.accounts as a on a.id = e.account_id
    where e.owner_id is distinct from a.owner_id
    union all
    select 'entries of each currency sum to zero', count(*)
    from (
      select a.currency
      from ledger.entries as e
      inner join ledger.accounts as a on a.id = e.account_id
      group by a.currency
      having sum(e.amount) <> 0
    ) as unbalanced
    union all
    select 'every account''s balance is the sum of its entries', count(*)
    from ledger.accounts as a
    left join by_account as b on b.account_id = a.id
    where a.posted <> coalesce(b.posted, 0)
    union all
    select 'entry numbers have no gap and end at the account''s version', count(*)
    from ledger.accounts as a
    left join by_account as b on b.account_id = a.id
    where a.version <> coalesce(b.entries, 0)
      or a.version <> coalesce(b.last_version, 0)
    union all
    select 'every balance after an entry is the running sum', count(*)
    from (
      select
        e.balance_after,
        sum(e.amount) over (partition by e.account_id order by e.version) as running
      from ledger.entries as e
    ) as r
    where r.balance_after <> r.running
    union all
    select 'held amounts are the pending holds', count(*)
    from ledger.accounts as a
    left join pending_holds as h on h.debit_account_id = a.id
    where a.held <> coalesce(h.held, 0)
    union all
    select 'every settled hold has its transfer, and no other hold has one', count(*)
    from ledger.holds as h
    left join ledger.transfers as t on t.hold_id = h.id
    where (
      case h.state
        when 'settled' then
          t.amount = h.settled_amount
          and t.debit_account_id = h.debit_account_id
          and t.credit_account_id = h.credit_account_id
        else t.id is null
      end
    ) is not true
    union all
    select 'every reversal is the opposite of its transfer', count(*)
    from ledger.transfers as r
    inner join ledger.transfers as t on t.id = r.reverses_transfer_id
    where (
      r.debit_account_id = t.credit_account_id
      and r.credit_account_id = t.debit_account_id
      and r.amount = t.amount
    ) is not true
    union all
    select 'no account is below its floor but by reversals', count(*)
    from ledger.accounts as a
    where a.posted - a.held < a.floor - a.reversal_debt
    union all
    select 'reversal debts are what accounts lack', count(*)
    from ledger.accounts as a
    where a.reversal_debt <> greatest(0, a.floor - (a.posted - a.held))
  )
  select f.check_name, f.violations = 0, f.violations
  from found as f;
$$;

comment on function ledger.verify() is
'Every check of the books, whether it holds, and how many rows break it.';

revoke all on function ledger.verify() from public, anon, authenticated, service_role;
grant execute on function ledger.verify() to service_role;
