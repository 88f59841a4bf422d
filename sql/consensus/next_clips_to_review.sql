-- Lease clips to review: those that need the fewest further votes first, then the oldest.
--
-- Never one's own, never one voted on or skipped, at most max_leased_per_author of one
-- speaker at a time, and no clip handed to more people than votes it still needs. One's
-- own live leases come first, with the time they have left, so a restarted client goes
-- on where it was.
-- A round finds a page of candidates without locks (consensus.clips_to_lease), locks
-- them skipping those in use, looks again under the lock, and leases; a second round
-- fills what speakers' shares left out. Reviewers never wait for each other. One
-- reviewer's own calls do, on the profile row, or two at once would exceed the shares.
-- Cost: the page, plus the clips at the front of the queue that are fully handed out or
-- that this reviewer has already dealt with.
-- Callers: members. Fails with rate_limited, invalid_input, unknown_language.

create or replace function consensus.next_clips_to_review(
  p_language text,
  p_max_clips integer
)
returns setof public.review_item
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_reviewer_id uuid := app.require_member();
  v_now timestamptz := app.now();
  v_leased uuid[];
  v_locked uuid[];
  v_added uuid[];
begin
  perform limits.spend('next_clips_to_review');

  if (p_max_clips between 1 and 50) is not true then
    perform app.fail('invalid_input', 'max_clips: 1 to 50');
  end if;
  if not exists (select from public.languages as l where l.code = p_language) then
    perform app.fail('unknown_language');
  end if;

  perform
  from public.profiles as p
  where p.id = v_reviewer_id
  for no key update;

  delete from consensus.leases as l
  where l.reviewer_id = v_reviewer_id
    and l.expires_at <= v_now;

  v_leased := array(
    select l.clip_id
    from consensus.leases as l
    inner join consensus.items as i on i.clip_id = l.clip_id
    where l.reviewer_id = v_reviewer_id
      and i.language = p_language
      and i.state = 'open'
      and (select not c.is_hidden from public.clips as c where c.id = i.clip_id)
    order by l.expires_at, l.clip_id
    limit p_max_clips
  );

  for v_round in 1..5 loop
    exit when cardinality(v_leased) >= p_max_clips;

    v_locked := array(
      select i.clip_id
      from consensus.items as i
      where i.clip_id in (
        select c.clip_id
        from consensus.clips_to_lease(
          v_reviewer_id, p_language, p_max_clips - cardinality(v_leased)
        ) as c
      )
        and i.state = 'open'
      order by i.clip_id
      for no key update skip locked
    );

    with added as (
      insert into consensus.leases (clip_id, reviewer_id, expires_at)
      select i.clip_id, v_reviewer_id, v_now + k.lease_duration
      from consensus.items as i
      inner join consensus.kinds as k on k.kind = i.kind
      where i.clip_id = any (v_locked)
        and consensus.may_lease(i, v_reviewer_id)
      order by i.clip_id
      returning clip_id
    )
    select array_agg(a.clip_id) into v_added from added as a;

    exit when v_added is null;
    v_leased := v_leased || v_added;
  end loop;

  return query
  select
    c.id, c.kind, c.language, c.media_path, c.duration_ms, c.prompt, c.transcript, k.labels, l.expires_at
  from consensus.leases as l
  inner join consensus.items as i on i.clip_id = l.clip_id
  inner join consensus.kinds as k on k.kind = i.kind
  inner join public.clips as c on c.id = l.clip_id
  where l.reviewer_id = v_reviewer_id
    and l.clip_id = any (v_leased)
  order by i.votes_needed, c.id;
end;
$$;

create or replace function public.next_clips_to_review(language text, max_clips integer default 10)
returns setof public.review_item
language sql
volatile
set search_path = pg_catalog, pg_temp
as $$
  select *
  from consensus.next_clips_to_review(
    next_clips_to_review.language, next_clips_to_review.max_clips
  );
$$;

comment on function consensus.next_clips_to_review(text, integer) is
'The rule behind the door public.next_clips_to_review.';
comment on function public.next_clips_to_review(text, integer) is
'Clips leased to you for review in one language; vote, skip, or let the lease run out.';

revoke all on function consensus.next_clips_to_review(text, integer) from public, anon, authenticated, service_role;
revoke all on function public.next_clips_to_review(text, integer) from public, anon, authenticated, service_role;
grant execute on function consensus.next_clips_to_review(text, integer) to authenticated;
grant execute on function public.next_clips_to_review(text, integer) to authenticated;
