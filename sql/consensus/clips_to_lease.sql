-- The best clips to hand to a reviewer next, at most p_limit, without locking any.
--
-- Walks items_queue_idx from its front, leaving out the reviewer's own clips and the
-- speakers whose share they already hold, and keeps at most the rest of each speaker's
-- share. Three times the page is looked at, so one speaker's long row can leave the page
-- short; the caller asks again with that speaker's share used up.
-- What makes a clip fit is said again in consensus.may_lease, for one clip: calling that
-- here, once per clip walked past, doubles the cost of the queue.
-- Callers: consensus.next_clips_to_review.

create or replace function consensus.clips_to_lease(
  p_reviewer_id uuid,
  p_language text,
  p_limit integer
)
returns table (clip_id uuid)
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  with
  held as materialized (
    select i.author_id, count(*) as clips
    from consensus.leases as l
    inner join consensus.items as i on i.clip_id = l.clip_id
    where l.reviewer_id = p_reviewer_id
      and i.state = 'open'
    group by i.author_id
  ),
  front as (
    select i.clip_id, i.author_id, i.votes_needed, k.max_leased_per_author - coalesce(h.clips, 0) as share
    from consensus.items as i
    inner join consensus.kinds as k on k.kind = i.kind
    left join held as h on h.author_id = i.author_id
    where i.language = p_language
      and i.state = 'open'
      and i.author_id <> p_reviewer_id
      and coalesce(h.clips, 0) < k.max_leased_per_author
      and not exists (
        select
        from public.votes as v
        where v.clip_id = i.clip_id
          and v.voter_id = p_reviewer_id
      )
      and not exists (
        select
        from consensus.skips as s
        where s.reviewer_id = p_reviewer_id
          and s.clip_id = i.clip_id
      )
      and not exists (
        select
        from consensus.leases as l
        where l.clip_id = i.clip_id
          and l.reviewer_id = p_reviewer_id
      )
      and (
        select count(*)
        from consensus.leases as l
        where l.clip_id = i.clip_id
          and l.expires_at > (select app.now())
      ) < i.votes_needed
      and not (
        select c.is_hidden
        from public.clips as c
        where c.id = i.clip_id
      )
    order by i.votes_needed, i.clip_id
    limit p_limit * 3
  ),
  ranked as (
    select f.*, row_number() over (partition by f.author_id order by f.votes_needed, f.clip_id) as nth
    from front as f
  )
  select r.clip_id
  from ranked as r
  where r.nth <= r.share
  order by r.votes_needed, r.clip_id
  limit p_limit;
$$;

comment on function consensus.clips_to_lease(uuid, text, integer) is
'Clips to lease next to a reviewer, best first.';

revoke all on function consensus.clips_to_lease(uuid, text, integer)
from public, anon, authenticated, service_role;
