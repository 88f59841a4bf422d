-- Lock a slot of the reward pool that can pay an amount; null when none can.
--
-- Free slots first, starting somewhere at random, skipping those that others hold:
-- payers do not wait for each other while any slot has money. Only when every slot
-- with enough is taken does the caller wait for one, and then holds no other: a slot
-- found empty once it is locked would stay locked, so it is let go by undoing to the
-- block's start. The slots stay in the order of accounts by id, as only one is locked.

create or replace function ledger.lock_pool_slot(p_currency text, p_amount bigint)
returns bigint
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_start integer := floor(random() * 16);
  v_awaited_id bigint;
  v_slot_id bigint;
begin
  loop
    begin
      select a.id
      into strict v_slot_id
      from ledger.accounts as a
      where a.purpose = 'reward_pool'
        and a.currency = p_currency
        and a.posted - a.held - p_amount >= a.floor
      order by (a.slot < v_start), a.slot
      limit 1
      for no key update skip locked;

      return v_slot_id;
    exception when no_data_found then
      null;
    end;

    select a.id
    into v_awaited_id
    from ledger.accounts as a
    where a.purpose = 'reward_pool'
      and a.currency = p_currency
      and a.posted - a.held - p_amount >= a.floor
    order by (a.slot < v_start), a.slot
    limit 1;

    if not found then
      return null;
    end if;

    begin
      select a.id
      into strict v_slot_id
      from ledger.accounts as a
      where a.id = v_awaited_id
        and a.posted - a.held - p_amount >= a.floor
      for no key update;

      return v_slot_id;
    exception when no_data_found then
      null;
    end;
  end loop;
end;
$$;

comment on function ledger.lock_pool_slot(text, bigint) is
'Lock and return a reward-pool slot with at least this much available, or null.';

revoke all on function ledger.lock_pool_slot(text, bigint) from public, anon, authenticated, service_role;
