-- Expire holds whose time is over, a bounded number at a time; return how many.
--
-- Skips holds another transaction is resolving. Run by the worker until it returns 0.

create or replace function ledger.expire_holds(p_limit integer)
returns integer
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_hold_ids bigint[] := array(
    select h.id
    from ledger.holds as h
    where h.state = 'pending'
      and h.expires_at <= app.now()
    order by h.id
    limit p_limit
    for no key update skip locked
  );
begin
  if cardinality(v_hold_ids) > 0 then
    perform ledger.release_holds(v_hold_ids, 'expired');
  end if;

  return cardinality(v_hold_ids);
end;
$$;

comment on function ledger.expire_holds(integer) is
'Expire up to p_limit holds that are past their time; returns how many.';

revoke all on function ledger.expire_holds(integer) from public, anon, authenticated, service_role;
