-- What of a chain is not sealed yet: how many rows, counted up to p_limit, and since when the
-- oldest of them waits. Callers: the rules of this domain.

create or replace function seals.tail(p_chain text, p_limit bigint)
returns table (row_count bigint, oldest_at timestamptz)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_chain seals.chains;
  v_last seals.batches := seals.last_batch(p_chain);
  v_epoch seals.epochs;
  v_count bigint;
  v_oldest_at timestamptz;
begin
  select * into strict v_chain
  from seals.chains as c
  where c.chain = p_chain;

  row_count := 0;
  for v_epoch in
    select *
    from seals.epochs as e
    where e.chain = p_chain
      and e.epoch >= coalesce(v_last.epoch, 1)
    order by e.epoch
  loop
    execute format(
      $sql$
      select count(*), min(r.at)
      from (
        select t.%1$I as at
        from %2$I.%3$I as t
        where ($1 is null or (t.xid, t.%4$I) > ($1, $2))
          and ($3 is null or t.%4$I > $3)
          and ($4 is null or t.%4$I <= $4)
        order by t.xid, t.%4$I
        limit $5
      ) as r
      $sql$,
      v_chain.time_column,
      split_part(p_chain, '.', 1),
      split_part(p_chain, '.', 2),
      v_chain.id_column
    )
    into v_count, v_oldest_at
    using
      case when v_epoch.epoch = v_last.epoch then v_last.to_xid end,
      case when v_epoch.epoch = v_last.epoch then v_last.to_id end,
      v_epoch.after_id,
      v_epoch.upto_id,
      p_limit - row_count;

    row_count := row_count + v_count;
    oldest_at := least(oldest_at, v_oldest_at);
    exit when row_count >= p_limit;
  end loop;

  return next;
end;
$$;

comment on function seals.tail(text, bigint) is
'Rows of a chain that are not sealed yet, and when the oldest was written.';

revoke all on function seals.tail(text, bigint) from public, anon, authenticated, service_role;
