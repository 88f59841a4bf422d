-- Lease clips to review: those that need the fewest further votes first, then the oldest.
--
-- Never one's own, never one voted on or skipped, at most max_leased_per_author of one
-- speaker, and never more live leases on a clip than votes it still needs. One's own live
-- leases come first and are prolonged, so a restarted client goes on where it was.
-- Candidates are found without locks, then locked one by one skipping those in use, and
-- counted again under the lock; callers never wait for each other. Cost: the page, plus
-- the open clips this reviewer has already dealt with.
-- Callers: members. Fails with invalid_input, unknown_language.

create or replace function consensus.next_clips_to_review(
  p_language text,
  p_max_clips integer
)
returns setof public.review_item
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_reviewer_id uuid := app.require_member();
  v_now timestamptz := app.now();
  v_mine uuid[];
  v_candidates uuid[];
begin
  if (p_max_clips between 1 and 50) is not true then
    perform app.fail('invalid_input', 'max_clips: 1 to 50');
  end if;
  if not exists (select from public.languages as l where l.code = p_language) then
    perform app.fail('unknown_language');
  end if;

  delete from consensus.leases as l
  where l.reviewer_id = v_reviewer_id
    and l.expires_at <= v_now;

  v_mine := array(
    select l.clip_id
    from consensus.leases as l
    inner join consensus.items as i on i.clip_id = l.clip_id
    where l.reviewer_id = v_reviewer_id
      and i.language = p_language
      and i.state = 'open'
    order by l.expires_at, l.clip_id
    limit p_max_clips
  );

  v_candidates := array(
    select c.clip_id
    from (
      select
        w.clip_id,
        w.votes_needed,
        row_number() over (partition by w.author_id order by w.votes_needed, w.clip_id)
        + (
          select count(*)
          from consensus.leases as l
          inner join consensus.items as i on i.clip_id = l.clip_id
          where l.reviewer_id = v_reviewer_id
            and i.author_id = w.author_id
        ) as nth_of_author,
        w.max_leased_per_author
      from (
        select i.clip_id, i.author_id, i.votes_needed, k.max_leased_per_author
        from consensus.items as i
        inner join consensus.kinds as k on k.kind = i.kind
        where i.language = p_language
          and i.state = 'open'
          and i.author_id <> v_reviewer_id
          and not exists (
            select
            from public.votes as v
            where v.clip_id = i.clip_id
              and v.voter_id = v_reviewer_id
          )
          and not exists (
            select
            from consensus.skips as s
            where s.reviewer_id = v_reviewer_id
              and s.clip_id = i.clip_id
          )
          and not exists (
            select
            from consensus.leases as l
            where l.clip_id = i.clip_id
              and l.reviewer_id = v_reviewer_id
          )
          and (
            select count(*)
            from consensus.leases as l
            where l.clip_id = i.clip_id
              and l.expires_at > v_now
          ) < i.votes_needed
        order by i.votes_needed, i.clip_id
        limit p_max_clips * 10
      ) as w
    ) as c
    where c.nth_of_author <= c.max_leased_per_author
    order by c.votes_needed, c.clip_id
    limit p_max_clips - cardinality(v_mine)
  );

  v_candidates := array(
    select i.clip_id
    from consensus.items as i
    where i.clip_id = any (v_candidates)
      and i.state = 'open'
    order by i.clip_id
    for no key update skip locked
  );

  insert into consensus.leases as l (clip_id, reviewer_id, expires_at)
  select i.clip_id, v_reviewer_id, v_now + k.lease_duration
  from consensus.items as i
  inner join consensus.kinds as k on k.kind = i.kind
  where (
    i.clip_id = any (v_candidates)
    and (
      select count(*)
      from consensus.leases as o
      where o.clip_id = i.clip_id
        and o.expires_at > v_now
    ) < i.votes_needed
  )
  or i.clip_id = any (v_mine)
  order by i.clip_id
  on conflict on constraint leases_pkey do update set expires_at = excluded.expires_at;

  return query
  select
    c.id, c.kind, c.language, c.media_path, c.duration_ms, c.prompt, c.transcript, k.labels, l.expires_at
  from consensus.leases as l
  inner join consensus.items as i on i.clip_id = l.clip_id
  inner join consensus.kinds as k on k.kind = i.kind
  inner join public.clips as c on c.id = l.clip_id
  where l.reviewer_id = v_reviewer_id
    and l.clip_id = any (v_mine || v_candidates)
  order by i.votes_needed, c.id;
end;
$$;

create or replace function public.next_clips_to_review(language text, max_clips integer default 10)
returns setof public.review_item
language sql
volatile
set search_path = ''
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
