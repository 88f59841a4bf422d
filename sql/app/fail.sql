-- Fail the request with a code of app.error_catalog(). The only way out for errors.
--
-- SQLSTATE PGRST makes the API answer with exactly this body and status; from psql
-- the same JSON is the message. Everything the transaction did is rolled back.
-- Callers: rules of any domain, as any role. A code missing from the catalogue is
-- our own mistake and says so.

create or replace function app.fail(
  p_code text,
  p_details text default null,
  p_hint text default null,
  p_headers jsonb default null
)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_entry record;
begin
  select c.status, c.message, c.hint
  into v_entry
  from app.error_catalog() as c
  where c.code = p_code;

  if not found then
    raise exception 'error code % is not in app.error_catalog()', p_code;
  end if;

  raise exception using
    errcode = 'PGRST',
    message = jsonb_build_object(
      'code', p_code,
      'message', v_entry.message,
      'details', left(p_details, 500),
      'hint', coalesce(p_hint, v_entry.hint)
    )::text,
    detail = jsonb_build_object(
      'status', v_entry.status,
      'headers', coalesce(p_headers, '{}') || jsonb_build_object('X-Request-Id', app.request_id())
    )::text;
end;
$$;

comment on function app.fail(text, text, text, jsonb) is
'Fail the request: code, HTTP status, message, details, hint.';

revoke all on function app.fail(text, text, text, jsonb) from public, anon, authenticated, service_role;
grant execute on function app.fail(text, text, text, jsonb) to anon, authenticated, service_role;
