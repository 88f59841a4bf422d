-- Seals that leave out columns: fewer than the seal before them, one twice, or, for the first seal,
-- not all up to the column xid, which a table gets last before it is sealed.
--
-- Without this a seal over the ids alone, written by hand with a right digest, would leave the other
-- columns of its rows free to change. Looks at seals after p_after, each against the one before it.
-- Callers: seals.verify, and the worker and operators before a head is given out.

create or replace function seals.uncovered(p_chain text, p_after bigint)
returns table (seal_no bigint, details text)
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select b.seal_no, format('seal %s %s', b.seal_no, w.what)
  from (
    select s.seal_no, s.columns, lag(s.columns) over (order by s.seal_no) as columns_before
    from seals.batches as s
    where s.chain = p_chain
      and s.seal_no >= p_after
  ) as b
  cross join lateral (
    select format('leaves out the column %s', e.name) as what
    from unnest(coalesce(b.columns_before, array(
      select a.attname::text
      from pg_attribute as a
      where a.attrelid = to_regclass(p_chain)
        and a.attnum > 0
        and not a.attisdropped
        and a.attnum <= (select x.attnum from pg_attribute as x where x.attrelid = a.attrelid and x.attname = 'xid')
      order by a.attnum
    ))) with ordinality as e (name, nth)
    where (e.name = any (b.columns)) is not true
    union all
    select format('names the column %s twice', d.name)
    from unnest(b.columns) as d (name)
    group by d.name
    having count(*) > 1
    limit 1
  ) as w
  where b.seal_no > p_after
    and b.columns is distinct from b.columns_before
  order by b.seal_no;
$$;

comment on function seals.uncovered(text, bigint) is
'Seals after a number that do not cover all columns, and what each leaves out.';

revoke all on function seals.uncovered(text, bigint) from public, anon, authenticated, service_role;
