-- Whether a seal with this number and digest is in the chain. It proves nothing about the rows:
-- seals.verify does. Callers: the worker, before it writes a newer head beside an older one.

create or replace function seals.has_head(p_chain text, p_seal_no bigint, p_digest text)
returns boolean
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select exists (
    select
    from seals.batches as b
    where b.chain = p_chain
      and b.seal_no = p_seal_no
      and encode(b.digest, 'hex') = p_digest
  );
$$;

comment on function seals.has_head(text, bigint, text) is
'Whether the chain has a seal of this number and digest.';

revoke all on function seals.has_head(text, bigint, text) from public, anon, authenticated, service_role;
