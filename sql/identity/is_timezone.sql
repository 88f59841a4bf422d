-- Whether a text is the name of a timezone, UTC or Area/Place; null for null.
--
-- Asks Postgres by using it: pg_timezone_names would read every zone file there is. But
-- Postgres takes any word before an offset too (Foo/Bar+3), so digits are for Etc/GMT only.
-- Some systems keep every zone a second and a third time, under posix/ and right/.

create or replace function identity.is_timezone(p_name text)
returns boolean
language plpgsql
stable
strict
set search_path = pg_catalog, pg_temp
as $$
begin
  perform app.now() at time zone p_name;
  return p_name !~* '^(posix|right)/'
    and p_name ~ '^(UTC|[A-Za-z_]+(/[A-Za-z_-]+)+|Etc/GMT(0|[+]([0-9]|1[0-2])|-([0-9]|1[0-4])))$';
exception when invalid_parameter_value then
  return false;
end;
$$;

comment on function identity.is_timezone(text) is
'Whether a text names a timezone.';

revoke all on function identity.is_timezone(text) from public, anon, authenticated, service_role;
