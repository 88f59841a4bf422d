-- Seal the next rows of every chain, one batch each; returns how many rows.
--
-- The worker calls it every minute as long as it returns p_limit or more, a transaction each, so
-- that no long one holds anything back and a kill costs one batch. Callers: the worker.

create or replace function seals.seal(p_limit integer)
returns integer
language sql
volatile
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(sum(seals.seal_chain(c.chain, p_limit)), 0)::integer
  from (select s.chain from seals.chains as s order by s.chain) as c;
$$;

comment on function seals.seal(integer) is
'Seal up to about p_limit rows of each chain; returns how many were sealed.';

revoke all on function seals.seal(integer) from public, anon, authenticated, service_role;
