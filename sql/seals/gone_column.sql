-- The first of some columns that the table of a chain does not have any more; null for none.
--
-- Callers: the rules of this domain.

create or replace function seals.gone_column(p_chain text, p_columns text[])
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select c.name
  from unnest(p_columns) with ordinality as c (name, nth)
  where not exists (
    select
    from pg_attribute as a
    where a.attrelid = to_regclass(p_chain)
      and a.attname = c.name
      and a.attnum > 0
      and not a.attisdropped
  )
  order by c.nth
  limit 1;
$$;

comment on function seals.gone_column(text, text[]) is
'A column that a chain names and its table does not have.';

revoke all on function seals.gone_column(text, text[]) from public, anon, authenticated, service_role;
