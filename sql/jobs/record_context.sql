-- Note which request put a job on the queue: its request id and its place in the client's trace.
--
-- Nothing where nobody asks: work that the worker gives itself has no request. Caller: jobs.defer().

create or replace function jobs.record_context(p_job_id bigint)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  if coalesce(current_setting('request.headers', true), '') = ''
    and coalesce(current_setting('app.request_id', true), '') = ''
  then
    return;
  end if;

  insert into jobs.contexts (job_id, request_id, traceparent, tracestate)
  values (p_job_id, app.request_id(), app.traceparent(), app.tracestate())
  on conflict (job_id) do update
  set
    request_id = excluded.request_id,
    traceparent = excluded.traceparent,
    tracestate = excluded.tracestate,
    created_at = clock_timestamp();
end;
$$;

comment on function jobs.record_context(bigint) is
'Keep the request id and the trace context of the request that deferred a job.';

revoke all on function jobs.record_context(bigint)
from public, anon, authenticated, service_role;
