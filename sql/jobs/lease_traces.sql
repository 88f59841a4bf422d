-- Which traced requests caused the events of a lease: each once, at most 128, as many as a span
-- may link to. Only asked when traces are exported.
--
-- Beside jobs.take_events() and not part of its answer: workers of the last release have that
-- statement prepared, and fail when its columns change. Callers: the worker.

create or replace function jobs.lease_traces(p_lease_id uuid)
returns table (
  traceparent text,
  tracestate text
)
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select
    o.traceparent,
    min(o.tracestate)
  from jobs.lease_items(p_lease_id) as i
  join jobs.outbox as o on o.id = i.outbox_id
  where o.traceparent is not null
  group by o.traceparent
  limit 128;
$$;

comment on function jobs.lease_traces(uuid) is
'The trace contexts of the requests behind a lease''s events.';

revoke all on function jobs.lease_traces(uuid) from public, anon, authenticated, service_role;
