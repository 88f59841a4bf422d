-- Whether a reviewer may get a lease on an open clip: neither voted on nor skipped nor
-- leased by them, not hidden, and not yet handed to as many people as votes it needs.
--
-- Said for one clip under its lock; consensus.clips_to_lease says the same for the queue.
-- Callers: consensus.next_clips_to_review.

create or replace function consensus.may_lease(p_item consensus.items, p_reviewer_id uuid)
returns boolean
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select
    not exists (
      select
      from public.votes as v
      where v.clip_id = p_item.clip_id
        and v.voter_id = p_reviewer_id
    )
    and not exists (
      select
      from consensus.skips as s
      where s.reviewer_id = p_reviewer_id
        and s.clip_id = p_item.clip_id
    )
    and not exists (
      select
      from consensus.leases as l
      where l.clip_id = p_item.clip_id
        and l.reviewer_id = p_reviewer_id
    )
    and (
      select count(*)
      from consensus.leases as l
      where l.clip_id = p_item.clip_id
        and l.expires_at > app.now()
    ) < p_item.votes_needed
    and not (
      select c.is_hidden
      from public.clips as c
      where c.id = p_item.clip_id
    );
$$;

comment on function consensus.may_lease(consensus.items, uuid) is
'Whether an open clip may be handed to a reviewer now.';

revoke all on function consensus.may_lease(consensus.items, uuid)
from public, anon, authenticated, service_role;
