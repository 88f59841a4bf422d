-- A page of one's own statement, newest first: entries before the entry number given.
--
-- Reads as the caller, so the policy on ledger.entries decides; cost is the page. The plan
-- is the same for every caller and is kept: making it anew would cost twice the page.
-- Under a policy only plain comparisons reach the index: hence v_before.
-- Callers: anybody signed in. Fails with not_authenticated, invalid_input.

create or replace function ledger.wallet_statement(
  p_currency text,
  p_before bigint,
  p_max_rows integer
)
returns setof public.statement_line
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = 'force_generic_plan'
as $$
declare
  v_wallet_id bigint := ledger.own_wallet_id(p_currency);
  v_before bigint := coalesce(p_before, 9223372036854775807);
begin
  if (p_max_rows between 1 and 200) is not true then
    perform app.fail('invalid_input', 'max_rows: 1 to 200');
  end if;
  if (p_currency ~ '^[A-Z]{3}$') is not true then
    perform app.fail('invalid_input', 'currency: an ISO 4217 code such as USD');
  end if;

  return query
  select
    e.version, e.amount, e.balance_after, p_currency, e.cause, e.cause_id, e.event_at, e.created_at
  from ledger.entries as e
  where e.account_id = v_wallet_id
    and e.version < v_before
  order by e.version desc
  limit p_max_rows;
end;
$$;

create or replace function public.wallet_statement(
  currency text,
  before bigint default null,
  max_rows integer default 50
)
returns setof public.statement_line
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select *
  from ledger.wallet_statement(
    wallet_statement.currency, wallet_statement.before, wallet_statement.max_rows
  );
$$;

comment on function ledger.wallet_statement(text, bigint, integer) is
'The rule behind the door public.wallet_statement.';
comment on function public.wallet_statement(text, bigint, integer) is
'Your wallet''s entries, newest first; page with before = the last entry_no you have.';

revoke all on function ledger.wallet_statement(text, bigint, integer) from public, anon, authenticated, service_role;
revoke all on function public.wallet_statement(text, bigint, integer) from public, anon, authenticated, service_role;
grant execute on function ledger.wallet_statement(text, bigint, integer) to authenticated;
grant execute on function public.wallet_statement(text, bigint, integer) to authenticated;
