-- Post the held rewards of decided clips whose items the caller has locked.
--
-- All holds of all clips in one set, so locks are taken in one order.
-- Callers: consensus.settle_due_clips, consensus.set_validation_status.

create or replace function consensus.settle_clips(p_clip_ids uuid[])
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform ledger.settle_holds(array(
    select h.id
    from ledger.holds as h
    where h.cause_id = any (p_clip_ids)
      and h.state = 'pending'
    order by h.id
  ));

  update consensus.items as i
  set
    state = 'settled',
    settle_at = null
  where i.clip_id = any (p_clip_ids);
end;
$$;

comment on function consensus.settle_clips(uuid[]) is
'Turn the held rewards of decided clips into posted ones.';

revoke all on function consensus.settle_clips(uuid[]) from public, anon, authenticated, service_role;
