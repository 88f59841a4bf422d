-- The key a call carries: the door's argument, else the request's Idempotency-Key header.
--
-- The header may be quoted, as its draft standard writes it. Doors without the argument do not
-- read it. Fails with invalid_input where both are given and differ.

create or replace function app.idempotency_key(p_given text)
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_header text := nullif(current_setting('request.headers', true), '')::json ->> 'idempotency-key';
begin
  if v_header is null then
    return p_given;
  end if;

  v_header := regexp_replace(btrim(v_header, E' \t'), '^"(.*)"$', '\1');
  if p_given <> v_header then
    perform app.fail('invalid_input', 'idempotency_key: another one than in the Idempotency-Key header');
  end if;

  return v_header;
end;
$$;

comment on function app.idempotency_key(text) is
'The idempotency key of a call: the argument given, else that of the request''s header.';

revoke all on function app.idempotency_key(text) from public, anon, authenticated, service_role;
