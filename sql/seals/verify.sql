-- Prove a chain: every check, whether it holds, how many seals or rows speak against it, and where.
--
-- p_head is a head kept outside the database, '<seal number>:<digest in hex>'. With it any change
-- up to that seal shows: rows edited, removed, added or re-ordered, seals changed, the chain cut
-- off or rebuilt. Without it the chain is only held against itself: whoever can rewrite rows and
-- seals together, as a superuser can, passes; the last check then is null, which is not a yes.
-- What lies after the head is consistent, not proved; what is not sealed yet is only counted.
-- A seal that leaves columns out is one too many: the head may have been taken over it.
-- A function that a superuser replaced proves nothing: where that is to be feared, restore a copy
-- elsewhere, deploy to it, and ask there.
--
-- Reads all rows and locks nothing; minutes at tens of millions of rows. Callers: operators.

create or replace function seals.verify(p_chain text, p_head text default null)
returns table (check_name text, holds boolean, found bigint, details text)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_chain seals.chains;
  v_batch seals.batches;
  v_before seals.batches;
  v_epoch seals.epochs;
  v_rows record;
  v_head_no bigint := case when p_head ~ '^[0-9]{1,18}:[0-9a-f]{64}$' then split_part(p_head, ':', 1)::bigint end;
  v_unlinked bigint := 0;
  v_forged bigint := 0;
  v_changed bigint := 0;
  v_stray bigint := 0;
  v_where_unlinked text;
  v_where_forged text;
  v_where_changed text;
  v_where_stray text;
  v_gone text;
  v_uncovered bigint;
  v_where_uncovered text;
  v_head_digest bytea;
  v_count bigint;
  v_oldest_at timestamptz;
begin
  select * into v_chain
  from seals.chains as c
  where c.chain = p_chain;

  if not found then
    return query values ('the chain is known', false, 1::bigint, format('no chain is called %s', p_chain));
    return;
  end if;

  v_gone := seals.gone_column(p_chain, array['xid', v_chain.id_column, v_chain.time_column]);
  if v_gone is not null then
    return query values ('sealed rows are what was sealed', false, 1::bigint, format('column %s is gone', v_gone));
    return;
  end if;

  for v_batch in
    select *
    from seals.batches as b
    where b.chain = p_chain
    order by b.seal_no
  loop
    select * into v_epoch
    from seals.epochs as e
    where e.chain = p_chain
      and e.epoch = v_batch.epoch;

    if (
      v_batch.seal_no = coalesce(v_before.seal_no, 0) + 1
      and v_batch.previous_digest = coalesce(v_before.digest, sha256(convert_to(p_chain, 'UTF8')))
      and case
        when v_batch.epoch = coalesce(v_before.epoch, 1) then
          row(v_batch.from_xid, v_batch.from_id) is not distinct from row(v_before.to_xid, v_before.to_id)
        else v_batch.epoch > v_before.epoch and v_batch.from_xid is null
      end
      and v_batch.after_id is not distinct from v_epoch.after_id
      and (v_batch.epoch = coalesce(v_before.epoch, 1) or v_batch.after_id >= v_before.max_id)
    ) is not true then
      v_unlinked := v_unlinked + 1;
      v_where_unlinked := coalesce(v_where_unlinked, format('seal %s', v_batch.seal_no));
    end if;

    if v_batch.digest is distinct from seals.digest_batch(v_batch) then
      v_forged := v_forged + 1;
      v_where_forged := coalesce(v_where_forged, format('seal %s', v_batch.seal_no));
    end if;

    v_gone := seals.gone_column(p_chain, v_batch.columns);
    if v_gone is null then
      select * into v_rows
      from seals.digest_rows(
        v_chain, v_batch.columns, v_epoch.after_id, v_epoch.upto_id,
        v_batch.from_xid, v_batch.from_id, v_batch.to_xid, v_batch.to_id
      );
    end if;

    if v_gone is not null then
      v_changed := v_changed + 1;
      v_where_changed := coalesce(v_where_changed, format('seal %s: column %s is gone', v_batch.seal_no, v_gone));
    elsif row(v_rows.row_count, v_rows.max_id, v_rows.rows_digest)
      is distinct from row(v_batch.row_count, v_batch.max_id, v_batch.rows_digest) then
      v_changed := v_changed + 1;
      v_where_changed := coalesce(v_where_changed, format(
        'seal %s, up to position (%s, %s): sealed %s rows, there are %s',
        v_batch.seal_no, v_batch.to_xid, v_batch.to_id, v_batch.row_count, v_rows.row_count
      ));
    end if;

    if v_batch.seal_no = v_head_no then
      v_head_digest := v_batch.digest;
    end if;
    v_before := v_batch;
  end loop;

  -- Epochs share all ids out among them: none is left out, none is in two.
  select count(*), min(n.epoch)
  into v_count, v_where_stray
  from (
    select
      e.epoch,
      e.after_id,
      lag(e.epoch, 1, 0) over in_order as epoch_before,
      lag(e.upto_id) over in_order as upto_before,
      e.upto_id is null and lead(e.epoch) over in_order is not null as has_no_end,
      e.upto_id is not null and lead(e.epoch) over in_order is null as ends_early
    from seals.epochs as e
    where e.chain = p_chain
    window in_order as (order by e.epoch)
  ) as n
  where n.epoch <> n.epoch_before + 1
    or n.after_id is distinct from n.upto_before
    or n.has_no_end
    or n.ends_early;

  if v_count > 0 then
    v_unlinked := v_unlinked + v_count;
    v_where_unlinked := coalesce(v_where_unlinked, format('epoch %s', v_where_stray));
    v_where_stray := null;
  end if;

  -- An epoch that was left is complete: what lies in it behind its last seal came later.
  for v_epoch in
    select *
    from seals.epochs as e
    where e.chain = p_chain
      and e.epoch < v_before.epoch
    order by e.epoch
  loop
    select b.* into v_batch
    from seals.batches as b
    where b.chain = p_chain
      and b.epoch = v_epoch.epoch
    order by b.seal_no desc
    limit 1;

    execute format(
      'select count(*) from %I.%I as t where ($1 is null or (t.xid, t.%3$I) > ($1, $2))'
      ' and ($3 is null or t.%3$I > $3) and t.%3$I <= $4',
      split_part(p_chain, '.', 1), split_part(p_chain, '.', 2), v_chain.id_column
    )
    into v_count
    using v_batch.to_xid, v_batch.to_id, v_epoch.after_id, v_epoch.upto_id;

    if v_count > 0 then
      v_stray := v_stray + v_count;
      v_where_stray := coalesce(v_where_stray, format('epoch %s', v_epoch.epoch));
    end if;
  end loop;

  select count(*), (array_agg(u.details order by u.seal_no))[1]
  into v_uncovered, v_where_uncovered
  from seals.uncovered(p_chain, 0) as u;

  return query values
    ('seals follow each other without a gap', v_unlinked = 0, v_unlinked, v_where_unlinked),
    ('every seal is what its digest says', v_forged = 0, v_forged, v_where_forged),
    ('every seal covers all columns', v_uncovered = 0, v_uncovered, v_where_uncovered),
    ('sealed rows are what was sealed', v_changed = 0, v_changed, v_where_changed),
    ('no row was added behind the seals', v_stray = 0, v_stray, v_where_stray);

  return query
  select
    'the outside head is in the chain',
    case
      when p_head is not null then
        coalesce(encode(v_head_digest, 'hex') = split_part(p_head, ':', 2), false)
    end,
    case
      when p_head is null then coalesce(v_before.seal_no, 0)
      else coalesce(v_before.seal_no - v_head_no, 0)
    end,
    case
      when p_head is null then
        'no head was given: rows and seals rewritten together, or seals cut off at the end, would not show'
      when v_head_no is null then 'a head is <seal number>:<64 hex digits>'
      when v_head_digest is null then
        format('the head is seal %s, the chain ends with %s', v_head_no, coalesce(v_before.seal_no, 0))
      when encode(v_head_digest, 'hex') <> split_part(p_head, ':', 2) then
        format('seal %s has another digest than the head', v_head_no)
      else format('proved up to seal %s, %s came after it', v_head_no, v_before.seal_no - v_head_no)
    end;

  select t.row_count, t.oldest_at into v_count, v_oldest_at
  from seals.tail(p_chain, 9223372036854775807) as t;

  return query
  select
    'rows not sealed yet',
    null::boolean,
    v_count,
    case
      when v_count > 0 then
        format('the oldest is %s s old', extract(epoch from clock_timestamp() - v_oldest_at)::integer)
    end;
end;
$$;

comment on function seals.verify(text, text) is
'Every check of a chain against an outside head, whether it holds (null: cannot be told), and where not.';

revoke all on function seals.verify(text, text) from public, anon, authenticated, service_role;
