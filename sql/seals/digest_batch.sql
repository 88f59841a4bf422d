-- The digest of a seal: SHA-256 of a JSON array of the text of all its other columns.
--
-- previous_digest is among them, so each digest stands for the whole chain before it. The first
-- word names this format; bytes are hex, the time is UTC to the microsecond. Callers:
-- seals.seal_chain, seals.verify.

create or replace function seals.digest_batch(p_batch seals.batches)
returns bytea
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select sha256(convert_to(
    array_to_json(array[
      'hub seal 1',
      p_batch.chain,
      p_batch.seal_no::text,
      p_batch.epoch::text,
      p_batch.after_id::text,
      p_batch.from_xid::text,
      p_batch.from_id::text,
      p_batch.to_xid::text,
      p_batch.to_id::text,
      p_batch.max_id::text,
      p_batch.row_count::text,
      array_to_json(p_batch.columns)::text,
      encode(p_batch.rows_digest, 'hex'),
      encode(p_batch.previous_digest, 'hex'),
      to_char(p_batch.sealed_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
    ])::text,
    'UTF8'
  ));
$$;

comment on function seals.digest_batch(seals.batches) is
'What the digest of a seal must be.';

revoke all on function seals.digest_batch(seals.batches) from public, anon, authenticated, service_role;
