-- Count and digest the rows of a stretch: after (p_from_xid, p_from_id), up to and including
-- (p_to_xid, p_to_id), with ids after p_after_id and up to p_upto_id; a null bound is none.
--
-- A row is a JSON array of the text of its columns, in the order of p_columns and without spaces;
-- its digest is the SHA-256 of that in UTF-8. The stretch's is the SHA-256 of its rows' digests,
-- one after the other by (xid, id, digest). The settings below fix the text of every type, so
-- that another session, server or major version of Postgres finds the same, and so does whoever
-- recomputes it elsewhere. No rows: a count of 0, the rest null.
-- Reads only. Callers: seals.seal_chain, seals.verify.

create or replace function seals.digest_rows(
  p_chain seals.chains,
  p_columns text[],
  p_after_id bigint,
  p_upto_id bigint,
  p_from_xid xid8,
  p_from_id bigint,
  p_to_xid xid8,
  p_to_id bigint
)
returns table (row_count bigint, max_id bigint, rows_digest bytea)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set datestyle = 'ISO, YMD'
set intervalstyle = 'iso_8601'
set extra_float_digits = 1
set bytea_output = 'hex'
as $$
begin
  return query execute format(
    $sql$
    select
      count(*),
      max(r.id),
      sha256(string_agg(r.digest, ''::bytea order by r.xid, r.id, r.digest))
    from (
      select
        t.xid,
        t.%1$I::bigint as id,
        sha256(convert_to(array_to_json(array[%2$s])::text, 'UTF8')) as digest
      from %3$I.%4$I as t
      where ($1 is null or (t.xid, t.%1$I) > ($1, $2))
        and (t.xid, t.%1$I) <= ($3, $4)
        and ($5 is null or t.%1$I > $5)
        and ($6 is null or t.%1$I <= $6)
    ) as r
    $sql$,
    p_chain.id_column,
    (select string_agg(format('t.%I::text', c.name), ', ' order by c.nth)
      from unnest(p_columns) with ordinality as c (name, nth)),
    split_part(p_chain.chain, '.', 1),
    split_part(p_chain.chain, '.', 2)
  )
  using p_from_xid, p_from_id, p_to_xid, p_to_id, p_after_id, p_upto_id;
end;
$$;

comment on function seals.digest_rows(seals.chains, text[], bigint, bigint, xid8, bigint, xid8, bigint) is
'Number, highest id and digest of the rows between two positions.';

revoke all on function seals.digest_rows(seals.chains, text[], bigint, bigint, xid8, bigint, xid8, bigint)
from public, anon, authenticated, service_role;
