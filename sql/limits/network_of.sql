-- An address as limits count it, where it is not plainly IPv4: the /64 network of an IPv6 address,
-- an IPv4 address with its port or wrapping taken off, or unknown.
--
-- Callers: limits.client_address.

create or replace function limits.network_of(p_address text)
returns text
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_address inet;
begin
  if p_address is null or length(p_address) > 60 then
    return 'unknown';
  end if;

  v_address := coalesce(
    substring(p_address from '^([0-9.]+):[0-9]{1,5}$'),
    substring(p_address from '^\[([^]]*)\](?::[0-9]{1,5})?$'),
    p_address
  )::inet;
  if v_address <<= '::ffff:0:0/96' then
    v_address := replace(host(v_address), '::ffff:', '')::inet;
  end if;
  if family(v_address) = 6 then
    return network(set_masklen(v_address, 64))::text;
  end if;
  return host(v_address);
exception when invalid_text_representation then
  return 'unknown';
end;
$$;

comment on function limits.network_of(text) is
'An address in the form limits count it in; unknown where it is none.';

revoke all on function limits.network_of(text) from public, anon, authenticated, service_role;
