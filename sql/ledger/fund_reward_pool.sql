-- Put money into the reward pool, spread evenly over its slots; return the transfers.
--
-- Callers: the owner, or service_role for an admin tool; audited.
-- Fails with invalid_transfer.

create or replace function ledger.fund_reward_pool(p_currency text, p_amount bigint)
returns bigint[]
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_postings ledger.posting[];
begin
  if (p_amount > 0) is not true then
    perform app.fail('invalid_transfer', 'amount: minor units, more than 0');
  end if;

  select array_agg(row(f.id, s.id, s.share, 'pool_funding', null, null, null, null)::ledger.posting)
  into v_postings
  from ledger.accounts as f
  cross join (
    select
      a.id,
      p_amount / count(*) over () + (row_number() over (order by a.slot) <= p_amount % count(*) over ())::integer
      as share
    from ledger.accounts as a
    where a.purpose = 'reward_pool'
      and a.currency = p_currency
  ) as s
  where f.purpose = 'funding'
    and f.currency = p_currency
    and s.share > 0;

  if v_postings is null then
    perform app.fail('invalid_transfer', format('currency: %s has no reward pool', p_currency));
  end if;

  perform audit.record(
    'reward_pool_funded', 'currency', p_currency, null, jsonb_build_object('amount', p_amount)
  );
  return ledger.post(v_postings);
end;
$$;

comment on function ledger.fund_reward_pool(text, bigint) is
'Move minor units from the funding account into the reward pool, evenly over its slots.';

revoke all on function ledger.fund_reward_pool(text, bigint) from public, anon, authenticated, service_role;
grant execute on function ledger.fund_reward_pool(text, bigint) to service_role;
