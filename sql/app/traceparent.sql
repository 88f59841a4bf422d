-- The client's place in its trace (W3C trace context), or null when it sent none worth keeping.
--
-- Whatever a client sends ends in tables and in calls to providers, so only the exact form passes:
-- version 00 in its 55 characters, a later version by its first 55. Of the flags only `sampled` is
-- kept. Callers: rules that put events or jobs on the queue.

create or replace function app.traceparent()
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
  -- every request has headers, few are traced: look before parsing
  if coalesce(strpos(v_headers, '"traceparent"'), 0) = 0 then
    return null;
  end if;

  v_header := v_headers::json ->> 'traceparent';
  if v_header is null
    or length(v_header) > 200
    or v_header !~ '^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-[!-~]*)?$'
    or starts_with(v_header, 'ff')
    or (starts_with(v_header, '00') and length(v_header) <> 55)
    or substr(v_header, 4, 32) = repeat('0', 32)
    or substr(v_header, 37, 16) = repeat('0', 16)
  then
    return null;
  end if;

  return '00' || substr(v_header, 3, 51)
    || case when substr(v_header, 55, 1) ~ '[13579bdf]' then '01' else '00' end;
end;
$$;

comment on function app.traceparent() is
'The request''s traceparent header as version 00; null when missing or malformed.';

revoke all on function app.traceparent() from public, anon, authenticated, service_role;
