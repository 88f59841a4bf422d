-- Cast one's vote on a clip, or change it while the clip is undecided.
--
-- The item row is locked first, so two deciding votes cannot both pay a reward. One
-- call does vote, tally and, when the vote decides, everything that follows from it
-- (consensus.decide), in one transaction. It decides for the label that leads, which on
-- a reopened clip, or after the minimum was lowered, need not be the one voted now.
-- The vote one has already cast changes nothing, so a call whose answer got lost can be
-- repeated, also after the decision. A clip that is hidden, or was rejected before one
-- met it (consensus.has_met), answers like one that never was.
-- Idempotent by nature, hence without a key.
-- Callers: any member but the author. Fails with rate_limited, clip_not_found, own_clip,
-- already_decided, unknown_label.

create or replace function consensus.cast_vote(
  p_clip_id uuid,
  p_label text
)
returns public.vote_outcome
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_voter_id uuid := app.require_member();
  v_item consensus.items;
  v_kind consensus.kinds;
  v_clip public.clips;
  v_previous text;
  v_place integer;
  v_leader text;
begin
  perform limits.spend('cast_vote');

  select i.*
  into v_item
  from consensus.items as i
  where i.clip_id = p_clip_id
  for no key update;

  select c.*
  into v_clip
  from public.clips as c
  where c.id = v_item.clip_id;

  if v_clip.is_hidden is not false then
    perform app.fail('clip_not_found');
  end if;
  if v_item.author_id = v_voter_id then
    perform app.fail('own_clip');
  end if;

  select v.label
  into v_previous
  from public.votes as v
  where v.clip_id = p_clip_id
    and v.voter_id = v_voter_id;

  if v_item.state <> 'open' and (v_previous = p_label) is not true then
    if not consensus.has_met(p_clip_id, v_voter_id) then
      perform app.fail('clip_not_found');
    end if;
    perform app.fail('already_decided');
  end if;

  if (v_previous = p_label) is not true then
    select k.*
    into v_kind
    from consensus.kinds as k
    where k.kind = v_item.kind;

    v_place := array_position(v_kind.labels, p_label);
    if v_place is null then
      perform app.fail('unknown_label', format('label: one of %s', array_to_string(v_kind.labels, ', ')));
    end if;

    -- The kind may have got labels since the clip was submitted.
    v_item.tally := v_item.tally || array_fill(
      0, array[greatest(0, cardinality(v_kind.labels) - cardinality(v_item.tally))]
    );
    v_item.tally[v_place] := v_item.tally[v_place] + 1;

    if v_previous is null then
      insert into public.votes (clip_id, voter_id, label, created_at, updated_at)
      values (p_clip_id, v_voter_id, p_label, app.now(), app.now());
    else
      update public.votes as v
      set
        label = p_label,
        updated_at = app.now()
      where v.clip_id = p_clip_id
        and v.voter_id = v_voter_id;

      v_place := array_position(v_kind.labels, v_previous);
      v_item.tally[v_place] := v_item.tally[v_place] - 1;
    end if;

    delete from consensus.leases as l
    where l.clip_id = p_clip_id
      and l.reviewer_id = v_voter_id;

    v_item.votes_needed := consensus.votes_needed(v_item.tally, v_kind.min_votes);

    if v_item.votes_needed = 0 then
      v_leader := v_kind.labels[
        array_position(v_item.tally, (select max(t.votes) from unnest(v_item.tally) as t (votes)))
      ];
      v_clip := consensus.decide(v_item, v_kind, v_leader, 'classic', null);
    elsif (select sum(t.votes) from unnest(v_item.tally) as t (votes)) >= v_kind.max_votes then
      v_item.votes_needed := 0;
      v_clip := consensus.dispute(v_item, v_kind);
    else
      update consensus.items as i
      set
        tally = v_item.tally,
        votes_needed = v_item.votes_needed
      where i.clip_id = p_clip_id;
    end if;
  end if;

  return row(
    p_clip_id,
    p_label,
    v_clip.status,
    v_clip.status <> 'pending',
    (select sum(t.votes)::integer from unnest(v_item.tally) as t (votes)),
    v_item.votes_needed,
    v_clip.version
  );
end;
$$;

create or replace function public.cast_vote(clip_id uuid, label text)
returns public.vote_outcome
language sql
volatile
set search_path = pg_catalog, pg_temp
as $$
  select consensus.cast_vote(cast_vote.clip_id, cast_vote.label);
$$;

comment on function consensus.cast_vote(uuid, text) is
'The rule behind the door public.cast_vote.';
comment on function public.cast_vote(uuid, text) is
'Cast or change your vote on a clip. Returns the clip''s state after the vote.';

revoke all on function consensus.cast_vote(uuid, text) from public, anon, authenticated, service_role;
revoke all on function public.cast_vote(uuid, text) from public, anon, authenticated, service_role;
grant execute on function consensus.cast_vote(uuid, text) to authenticated;
grant execute on function public.cast_vote(uuid, text) to authenticated;
