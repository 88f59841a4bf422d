-- End voting on a clip whose votes reached the cap without a majority; staff decide.
--
-- The caller has locked the item and passes it with its new tally. Staff find it with
-- disputed_clips; the author reads why. Callers: consensus.cast_vote.

create or replace function consensus.dispute(
  p_item consensus.items,
  p_kind consensus.kinds
)
returns public.clips
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_votes text := consensus.describe_tally(p_item.tally, p_kind.labels);
  v_clip public.clips;
begin
  update consensus.items as i
  set
    tally = p_item.tally,
    votes_needed = 0,
    state = 'disputed'
  where i.clip_id = p_item.clip_id;

  update public.clips as c
  set
    status_reason = v_votes || '; staff decide',
    version = c.version + 1
  where c.id = p_item.clip_id
  returning c.* into v_clip;

  delete from consensus.leases as l
  where l.clip_id = v_clip.id
    and l.expires_at <= app.now();

  perform audit.record('clip_disputed', 'clip', v_clip.id::text, v_votes);
  return v_clip;
end;
$$;

comment on function consensus.dispute(consensus.items, consensus.kinds) is
'Close a locked clip''s voting undecided.';

revoke all on function consensus.dispute(consensus.items, consensus.kinds)
from public, anon, authenticated, service_role;
