-- Seal the next rows of one table, about p_limit of them; returns how many.
--
-- Sealed in the order of (xid, id), strictly below the oldest transaction still running: all rows
-- there are final, so one that took its id early and commits late is not passed over. The rows
-- themselves are neither locked nor touched. Rows of one position (a table whose number repeats)
-- go into one seal. In an epoch that has ended every row is final.
-- Holds the chain's row for the time of one batch; another sealer leaves it alone and returns 0.
-- Stops when the row sealed last is gone, or a column: sealing over a hole would bury it.
-- Callers: seals.seal.

create or replace function seals.seal_chain(p_chain text, p_limit integer)
returns integer
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_chain seals.chains;
  v_last seals.batches;
  v_epoch seals.epochs;
  v_next seals.batches;
  v_is_there boolean;
begin
  select * into v_chain
  from seals.chains as c
  where c.chain = p_chain
  for no key update skip locked;

  if not found then
    return 0;
  end if;

  v_last := seals.last_batch(p_chain);
  perform seals.follow_server(v_chain, v_last);

  if v_last.seal_no is not null then
    execute format(
      'select exists (select from %I.%I as t where t.xid = $1 and t.%I = $2)',
      split_part(p_chain, '.', 1), split_part(p_chain, '.', 2), v_chain.id_column
    )
    into v_is_there
    using v_last.to_xid, v_last.to_id;

    if not v_is_there then
      raise internal_error using
        message = format('%s: the row that was sealed last is gone', p_chain),
        hint = 'Run hub seal verify with a head kept outside the database.';
    end if;
    if seals.gone_column(p_chain, v_last.columns) is not null then
      raise internal_error using
        message = format('%s: the sealed column %s is gone', p_chain, seals.gone_column(p_chain, v_last.columns)),
        hint = 'Sealed columns are neither renamed nor dropped.';
    end if;
  end if;

  for v_epoch in
    select *
    from seals.epochs as e
    where e.chain = p_chain
      and e.epoch >= coalesce(v_last.epoch, 1)
    order by e.epoch
  loop
    v_next := null;
    v_next.epoch := v_epoch.epoch;
    v_next.after_id := v_epoch.after_id;
    if v_epoch.epoch = v_last.epoch then
      v_next.from_xid := v_last.to_xid;
      v_next.from_id := v_last.to_id;
    end if;

    execute format(
      $sql$
      select n.xid, n.id
      from (
        select t.xid, t.%1$I::bigint as id
        from %2$I.%3$I as t
        where ($1 is null or (t.xid, t.%1$I) > ($1, $2))
          and ($3 is null or t.%1$I > $3)
          and ($4 is null or t.%1$I <= $4)
          and ($4 is not null or t.xid < pg_snapshot_xmin(pg_current_snapshot()))
        order by t.xid, t.%1$I
        limit $5
      ) as n
      order by n.xid desc, n.id desc
      limit 1
      $sql$,
      v_chain.id_column, split_part(p_chain, '.', 1), split_part(p_chain, '.', 2)
    )
    into v_next.to_xid, v_next.to_id
    using v_next.from_xid, v_next.from_id, v_epoch.after_id, v_epoch.upto_id, p_limit;

    exit when v_next.to_xid is not null;
  end loop;

  if v_next.to_xid is null then
    return 0;
  end if;

  v_next.columns := array(
    select a.attname::text
    from pg_attribute as a
    where a.attrelid = to_regclass(p_chain)
      and a.attnum > 0
      and not a.attisdropped
    order by a.attnum
  );

  select d.row_count, d.max_id, d.rows_digest
  into strict v_next.row_count, v_next.max_id, v_next.rows_digest
  from seals.digest_rows(
    v_chain, v_next.columns, v_epoch.after_id, v_epoch.upto_id,
    v_next.from_xid, v_next.from_id, v_next.to_xid, v_next.to_id
  ) as d;

  v_next.chain := p_chain;
  v_next.seal_no := coalesce(v_last.seal_no, 0) + 1;
  v_next.previous_digest := coalesce(v_last.digest, sha256(convert_to(p_chain, 'UTF8')));
  v_next.sealed_at := clock_timestamp();
  v_next.digest := seals.digest_batch(v_next);

  insert into seals.batches
  select v_next.*;

  return v_next.row_count;
end;
$$;

comment on function seals.seal_chain(text, integer) is
'Seal the next rows of one chain in one batch; returns how many.';

revoke all on function seals.seal_chain(text, integer) from public, anon, authenticated, service_role;
