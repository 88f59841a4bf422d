-- Open a locked item for voting again: its votes stay, one more may decide it.
--
-- Callers: consensus.set_validation_status, after undoing the rewards.

create or replace function consensus.reopen(
  p_item consensus.items,
  p_kind consensus.kinds,
  p_reason text
)
returns public.clips
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_clip public.clips;
begin
  update consensus.items as i
  set
    state = 'open',
    votes_needed = greatest(1, consensus.votes_needed(p_item.tally, p_kind.min_votes)),
    label = null,
    settle_at = null
  where i.clip_id = p_item.clip_id;

  update public.clips as c
  set
    status = 'pending',
    status_reason = p_reason,
    version = c.version + 1,
    decided_at = null,
    published_at = null
  where c.id = p_item.clip_id
  returning c.* into v_clip;

  insert into consensus.decisions (
    clip_id, version, status, label, rule, decided_by, tally, reason, created_at
  )
  values (
    v_clip.id, v_clip.version, 'pending', null, 'staff', app.user_id(), p_item.tally, p_reason, app.now()
  );

  perform consensus.tell_decision(v_clip);
  return v_clip;
end;
$$;

comment on function consensus.reopen(consensus.items, consensus.kinds, text) is
'Open a locked clip for voting again.';

revoke all on function consensus.reopen(consensus.items, consensus.kinds, text) from public, anon, authenticated, service_role;
