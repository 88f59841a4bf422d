-- Prove the books and keep the verdict for /metrics; returns how many rows break them.
--
-- Reads first and writes last: a transaction that has written holds the outbox back until it ends,
-- and this one reads for minutes when the books are large. Callers: the worker, every hour.

create or replace function ledger.check_books()
returns bigint
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_started timestamptz := clock_timestamp();
  v_problems bigint;
  v_findings jsonb;
begin
  select
    sum(v.violations),
    coalesce(
      jsonb_agg(jsonb_build_object('check', v.check_name, 'rows', v.violations))
        filter (where not v.holds),
      '[]'
    )
  into v_problems, v_findings
  from ledger.verify() as v;

  perform jobs.record_check('books', clock_timestamp() - v_started, v_problems, v_findings);
  return v_problems;
end;
$$;

comment on function ledger.check_books() is
'Run every check of the books and record the result; returns the number of problems.';

revoke all on function ledger.check_books() from public, anon, authenticated, service_role;
