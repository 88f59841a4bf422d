-- The newest seal of a chain; a row of nulls before the first.
--
-- Callers: the rules of this domain.

create or replace function seals.last_batch(p_chain text)
returns seals.batches
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select b.*
  from (values (1)) as one
  left join lateral (
    select s.*
    from seals.batches as s
    where s.chain = p_chain
    order by s.seal_no desc
    limit 1
  ) as b on true;
$$;

comment on function seals.last_batch(text) is 'The newest seal of a chain.';

revoke all on function seals.last_batch(text) from public, anon, authenticated, service_role;
