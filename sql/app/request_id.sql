-- The id that ties a client's request to audit rows, jobs, logs and provider calls.
--
-- Taken from the x-request-id header when it is a harmless token, else made once per
-- transaction. A custom setting is '' after its transaction, never trust it to be null.

create or replace function app.request_id()
returns text
language plpgsql
stable
parallel restricted
set search_path = pg_catalog, pg_temp
as $$
declare
  v_request_id text := nullif(current_setting('app.request_id', true), '');
begin
  if v_request_id is not null then
    return v_request_id;
  end if;

  v_request_id := nullif(current_setting('request.headers', true), '')::json ->> 'x-request-id';
  if v_request_id is null or v_request_id !~ '^[A-Za-z0-9._:-]{1,128}$' then
    v_request_id := gen_random_uuid()::text;
  end if;

  perform set_config('app.request_id', v_request_id, true);
  return v_request_id;
end;
$$;

comment on function app.request_id() is
'The request''s correlation id: the x-request-id header, or one made for this transaction.';

revoke all on function app.request_id() from public, anon, authenticated, service_role;
grant execute on function app.request_id() to anon, authenticated, service_role;
