-- The newest seal of each chain, to be kept outside the database.
--
-- Whoever holds a head can tell later whether the chain up to it, and every row it covers, is what
-- it was: seals.verify. Callers: the worker, operators.

create or replace function seals.heads()
returns table (chain text, seal_no bigint, digest text, sealed_at timestamptz)
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select b.chain, b.seal_no, encode(b.digest, 'hex'), b.sealed_at
  from (select c.chain from seals.chains as c order by c.chain) as s
  cross join lateral seals.last_batch(s.chain) as b
  where b.seal_no is not null;
$$;

comment on function seals.heads() is
'Chain, number, digest and time of the newest seal of each chain.';

revoke all on function seals.heads() from public, anon, authenticated, service_role;
