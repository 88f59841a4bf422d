-- Put money into the reward pool, spread evenly over its slots; return the transfers.
--
-- Callers: the owner, or service_role for an admin tool; audited. A tool that may repeat a call
-- gives a key, kept under the person it acts for, or under the nil uuid where there is none.
-- Fails with invalid_transfer, idempotency_key_reused, idempotency_key_in_use, invalid_input.

drop function if exists ledger.fund_reward_pool(text, bigint);

create or replace function ledger.fund_reward_pool(
  p_currency text,
  p_amount bigint,
  p_idempotency_key text default null
)
returns bigint[]
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_caller_id uuid := coalesce(auth.uid(), '00000000-0000-0000-0000-000000000000');
  v_key text := app.idempotency_key(p_idempotency_key);
  v_answer jsonb;
  v_transfers bigint[];
  v_postings ledger.posting[];
begin
  if (p_amount > 0) is not true then
    perform app.fail('invalid_transfer', 'amount: minor units, more than 0');
  end if;

  v_answer := app.claim_idempotency_key(v_caller_id, v_key, 'fund_reward_pool', jsonb_build_object(
    'currency', p_currency, 'amount', p_amount
  ));
  if v_answer is not null then
    return array(select t.id::bigint from jsonb_array_elements_text(v_answer) with ordinality as t (id, nth) order by t.nth);
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
  v_transfers := ledger.post(v_postings);
  perform app.store_idempotent_response(v_caller_id, v_key, to_jsonb(v_transfers));
  return v_transfers;
end;
$$;

comment on function ledger.fund_reward_pool(text, bigint, text) is
'Move minor units from the funding account into the reward pool, evenly over its slots.';

revoke all on function ledger.fund_reward_pool(text, bigint, text) from public, anon, authenticated, service_role;
grant execute on function ledger.fund_reward_pool(text, bigint, text) to service_role;
