-- The client's address as a limit counts it: an IPv4 address, an IPv6 /64, or unknown.
--
-- Read from the header that settings name, the trusted proxies' own addresses left out from the
-- right: what stands further left was said by the client. On hosted Supabase x-forwarded-for
-- begins with whatever the client sent, while Cloudflare in front of it overwrites
-- cf-connecting-ip; no other header is tried, or leaving one out would let a client choose.
-- Clients without a usable address share the bucket of the unknown. Three dots among digits pass
-- for IPv4 as they stand: a proxy wrote them, and a closer look would double the cost.
-- Callers: limits.spend.

create or replace function limits.client_address()
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_header text;
  v_proxies integer;
  v_hops text[];
  v_hop text;
begin
  select h.value, p.value::integer
  into v_header, v_proxies
  from settings.entries as h
  cross join settings.entries as p
  where h.name = 'limits.client_address_header'
    and p.name = 'limits.trusted_proxies';

  v_hops := string_to_array(nullif(current_setting('request.headers', true), '')::json ->> v_header, ',');
  v_hop := btrim(v_hops[cardinality(v_hops) - v_proxies], E' \t');

  if translate(v_hop, '0123456789', '') = '...' and length(v_hop) <= 15 then
    return v_hop;
  end if;
  return limits.network_of(v_hop);
end;
$$;

comment on function limits.client_address() is
'The client''s address or /64 network, as text; unknown where it cannot be told.';

revoke all on function limits.client_address() from public, anon, authenticated, service_role;
