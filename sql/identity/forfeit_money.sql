-- Give up what an erased account holds and was promised: promises are voided, balances go to the
-- platform's revenue. Returns how many holds and wallets it touched.
--
-- Items first, then holds, then accounts by id. A balance that outgoing holds keep stays until they
-- are resolved. Callers: identity.finish_erasures.

create or replace function identity.forfeit_money(p_user_id uuid, p_limit integer)
returns integer
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_hold_ids bigint[];
  v_wallet ledger.accounts;
  v_revenue_id bigint;
  v_done integer;
begin
  perform
  from consensus.items as i
  where i.clip_id in (
    select h.cause_id
    from ledger.accounts as a
    inner join ledger.holds as h on h.credit_account_id = a.id
    where a.owner_id = p_user_id
      and h.state = 'pending'
    order by h.id
    limit p_limit
  )
  order by i.clip_id
  for no key update;

  v_hold_ids := array(
    select h.id
    from ledger.accounts as a
    inner join ledger.holds as h on h.credit_account_id = a.id
    where a.owner_id = p_user_id
      and h.state = 'pending'
    order by h.id
    limit p_limit
  );
  v_done := cardinality(v_hold_ids);
  if v_done > 0 then
    perform ledger.release_holds(v_hold_ids);
    return v_done;
  end if;

  for v_wallet in
    select *
    from ledger.accounts as a
    where a.owner_id = p_user_id
      and a.posted - a.held > 0
    order by a.id
  loop
    select a.id into strict v_revenue_id
    from ledger.accounts as a
    where a.purpose = 'revenue'
      and a.currency = v_wallet.currency
      and a.slot = 0;

    perform
    from ledger.accounts as a
    where a.id in (v_wallet.id, v_revenue_id)
    order by a.id
    for no key update;

    perform ledger.post(array(
      select row(
        a.id, v_revenue_id, a.posted - a.held, 'erased_account_forfeit', p_user_id, null, null, null
      )::ledger.posting
      from ledger.accounts as a
      where a.id = v_wallet.id
        and a.posted - a.held > 0
    ));
    v_done := v_done + 1;
  end loop;

  return v_done;
end;
$$;

comment on function identity.forfeit_money(uuid, integer) is
'Void promises to an erased account and book its balances to the platform.';

revoke all on function identity.forfeit_money(uuid, integer) from public, anon, authenticated, service_role;
