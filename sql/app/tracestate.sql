-- What tracing systems carry along beside traceparent, when it is short and plain.
--
-- The specification lets anybody drop it; here over 512 characters or not printable.
-- Callers: rules that put events or jobs on the queue.

create or replace function app.tracestate()
returns text
language plpgsql
stable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_headers text := current_setting('request.headers', true);
  v_header text;
begin
  if coalesce(strpos(v_headers, '"tracestate"'), 0) = 0 then
    return null;
  end if;

  v_header := v_headers::json ->> 'tracestate';
  if v_header is null
    or length(v_header) > 512
    or v_header !~ '^[!-~][ -~]*$'
    or app.traceparent() is null
  then
    return null;
  end if;
  return v_header;
end;
$$;

comment on function app.tracestate() is
'The request''s tracestate header; null when missing, long or without a valid traceparent.';

revoke all on function app.tracestate() from public, anon, authenticated, service_role;
