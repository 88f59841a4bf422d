-- What waits to be sealed, for /metrics: a gauge's name, its label and its value per row.
--
-- Counts stop at 10000. Callers: the worker.

create or replace function seals.metrics()
returns table (
  metric text,
  label text,
  value double precision
)
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select m.metric, t.chain, m.value
  from (
    select
      c.chain,
      l.row_count,
      coalesce(extract(epoch from clock_timestamp() - l.oldest_at), 0)::double precision as seconds
    from seals.chains as c
    cross join lateral seals.tail(c.chain, 10000) as l
  ) as t
  cross join lateral (
    values ('unsealed_rows', t.row_count::double precision), ('unsealed_seconds', t.seconds)
  ) as m (metric, value);
$$;

comment on function seals.metrics() is
'Rows not sealed yet and the age of the oldest, by chain, as gauges.';

revoke all on function seals.metrics() from public, anon, authenticated, service_role;
