-- A text argument, trimmed and within its length, or a refusal that names it.
--
-- Length is tested before anything else reads the value, so ten megabytes cost
-- nothing more. Null and empty pass only when p_min is 0, and give null.
-- Fails with invalid_input.

create or replace function app.require_text(
  p_name text,
  p_value text,
  p_min integer,
  p_max integer
)
returns text
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_value text;
begin
  if octet_length(p_value) > 4 * p_max + 1000 then
    perform app.fail('invalid_input', format('%s: at most %s characters', p_name, p_max));
  end if;

  v_value := nullif(btrim(p_value, E' \t\n\r'), '');
  if coalesce(length(v_value), 0) not between p_min and p_max then
    perform app.fail('invalid_input', format('%s: %s to %s characters', p_name, p_min, p_max));
  end if;

  return v_value;
end;
$$;

comment on function app.require_text(text, text, integer, integer) is
'A trimmed text within its length; null when empty and p_min is 0.';

revoke all on function app.require_text(text, text, integer, integer) from public, anon, authenticated, service_role;
