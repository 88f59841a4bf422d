-- Tell a wallet's owner of every posted change, in the transaction that makes it.
--
-- One event per wallet and statement, with the newest balance; version lets a client
-- drop what is older than what it shows. Security definer: the outbox is closed.

create or replace function ledger.tg_entries__tell_owner()
returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  insert into jobs.outbox (topic, event, payload, request_id, traceparent, tracestate)
  select
    'user:' || a.owner_id,
    'balance_updated',
    jsonb_build_object(
      'currency', a.currency,
      'posted', a.posted,
      'available', a.posted - a.held,
      'change', m.change,
      'version', a.version
    ),
    app.request_id(),
    (select app.traceparent()),
    (select app.tracestate())
  from (
    select e.account_id, sum(e.amount) as change
    from added as e
    group by e.account_id
  ) as m
  inner join ledger.accounts as a on a.id = m.account_id
  where a.purpose = 'wallet';

  return null;
end;
$$;

comment on function ledger.tg_entries__tell_owner() is
'Queues balance_updated for the owner of every wallet the new entries change.';

revoke all on function ledger.tg_entries__tell_owner() from public, anon, authenticated, service_role;

create or replace trigger _500_tell_owner
after insert on ledger.entries
referencing new table as added
for each statement execute function ledger.tg_entries__tell_owner();
