-- Notice that the table now lives on another server, and begin a new epoch where its transaction
-- ids start again.
--
-- After a logical restore the old rows carry the old server's ids. Where those lie ahead of this
-- server's, new rows would be sorted in among sealed ones: the old epoch ends with the highest id
-- that came along (ids go on across a restore, so all new ones are above it). The new server may
-- have passed the old one's ids before the first seal here: then rows above every sealed id stand at
-- or below the last sealed position, and the epoch ends just before the first of them.
-- After an upgrade in place, or where the ids simply go on, nothing begins anew.
-- Caller: seals.seal_chain, which holds the chain's row.

create or replace function seals.follow_server(p_chain seals.chains, p_last seals.batches)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_cluster bigint := (select c.system_identifier from pg_control_system() as c);
  v_epoch seals.epochs;
  v_upto_id bigint;
  v_crossed_id bigint;
begin
  select * into strict v_epoch
  from seals.epochs as e
  where e.chain = p_chain.chain
    and e.upto_id is null;

  -- Servers copied from one data directory share their identifier.
  if p_chain.cluster is not distinct from v_cluster
    and (p_last.to_xid >= pg_snapshot_xmax(pg_current_snapshot()) and p_last.epoch = v_epoch.epoch) is not true then
    return;
  end if;

  execute format(
    $sql$
    select max(t.%1$I)
    from %2$I.%3$I as t
    where t.xid >= pg_snapshot_xmax(pg_current_snapshot())
      and ($1 is null or t.%1$I > $1)
    $sql$,
    p_chain.id_column,
    split_part(p_chain.chain, '.', 1),
    split_part(p_chain.chain, '.', 2)
  )
  into v_upto_id
  using v_epoch.after_id;

  if p_last.epoch = v_epoch.epoch then
    execute format(
      $sql$
      select greatest($4, max(t.%1$I))
      from %2$I.%3$I as t
      where t.%1$I < (
        select min(n.%1$I)
        from %2$I.%3$I as n
        where (n.xid, n.%1$I) <= ($1, $2)
          and n.%1$I > $3
      )
      having max(t.%1$I) is not null
      $sql$,
      p_chain.id_column,
      split_part(p_chain.chain, '.', 1),
      split_part(p_chain.chain, '.', 2)
    )
    into v_crossed_id
    using
      p_last.to_xid,
      p_last.to_id,
      (select max(b.max_id) from seals.batches as b where b.chain = p_chain.chain),
      v_upto_id;
    v_upto_id := coalesce(v_crossed_id, v_upto_id);
  end if;

  if v_upto_id is not null then
    select greatest(v_upto_id, max(b.max_id)) into v_upto_id
    from seals.batches as b
    where b.chain = p_chain.chain;

    update seals.epochs as e
    set upto_id = v_upto_id
    where e.chain = v_epoch.chain
      and e.epoch = v_epoch.epoch;

    insert into seals.epochs (chain, epoch, after_id)
    values (v_epoch.chain, v_epoch.epoch + 1, v_upto_id);
  end if;

  update seals.chains as c
  set cluster = v_cluster
  where c.chain = p_chain.chain;
end;
$$;

comment on function seals.follow_server(seals.chains, seals.batches) is
'After a logical restore onto another server: begin an epoch of its transaction ids.';

revoke all on function seals.follow_server(seals.chains, seals.batches) from public, anon, authenticated, service_role;
