-- Decide a clip by a label: history, status, rewards held, audit, people told.
--
-- The caller has locked the item and passes it with its new tally. All that follows
-- from a decision is here, for votes and for staff alike. Returns the clip. Everyone reads
-- a valid clip, so staff's own words are then kept to history and audit.
-- Locks further: reward_days by person, one slot of the reward pool.
-- Callers: consensus.cast_vote, consensus.set_validation_status.

create or replace function consensus.decide(
  p_item consensus.items,
  p_kind consensus.kinds,
  p_label text,
  p_rule text,
  p_reason text
)
returns public.clips
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_now timestamptz := app.now();
  v_status public.validation_status :=
    (case when p_label = any (p_kind.validating_labels) then 'valid' else 'invalid' end)::public.validation_status;
  v_votes text := consensus.describe_tally(p_item.tally, p_kind.labels);
  v_reason text := coalesce(p_reason, v_votes);
  v_decided_by uuid := case when p_rule = 'staff' then app.user_id() end;
  v_clip public.clips;
begin
  update consensus.items as i
  set
    tally = p_item.tally,
    votes_needed = 0,
    state = 'decided',
    label = p_label,
    settle_at = v_now + p_kind.settle_after
  where i.clip_id = p_item.clip_id;

  update public.clips as c
  set
    status = v_status,
    status_reason = case when v_status = 'valid' then v_votes else v_reason end,
    version = c.version + 1,
    decided_at = v_now,
    published_at = case when v_status = 'valid' and not c.is_hidden then v_now end
  where c.id = p_item.clip_id
  returning c.* into v_clip;

  insert into consensus.decisions (
    clip_id, version, status, label, rule, decided_by, tally, reason, created_at
  )
  values (
    v_clip.id, v_clip.version, v_status, p_label, p_rule, v_decided_by, p_item.tally, v_reason, v_now
  );

  delete from consensus.leases as l
  where l.clip_id = v_clip.id
    and l.expires_at <= app.now();

  perform consensus.promise_rewards(v_clip, p_kind, p_label, v_decided_by);
  perform consensus.tell_decision(v_clip);
  perform audit.record(
    'clip_decided', 'clip', v_clip.id::text, v_reason,
    jsonb_build_object('status', v_status, 'label', p_label, 'rule', p_rule, 'version', v_clip.version)
  );

  return v_clip;
end;
$$;

comment on function consensus.decide(consensus.items, consensus.kinds, text, text, text) is
'Decide a locked clip by a label, with everything that follows in the same transaction.';

revoke all on function consensus.decide(consensus.items, consensus.kinds, text, text, text)
from public, anon, authenticated, service_role;
