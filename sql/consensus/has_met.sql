-- Whether a user may know that a clip exists: everyone may while it takes votes or is
-- published, later only who voted on it or still holds a lease.
--
-- For others a clip they cannot read answers like one that never was.
-- Callers: consensus.cast_vote, consensus.skip_clip.

create or replace function consensus.has_met(p_clip_id uuid, p_user_id uuid)
returns boolean
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select exists (
    select
    from consensus.items as i
    inner join public.clips as c on c.id = i.clip_id
    where i.clip_id = p_clip_id
      and not c.is_hidden
      and (
        i.state = 'open'
        or c.published_at is not null
        or exists (
          select
          from public.votes as v
          where v.clip_id = i.clip_id
            and v.voter_id = p_user_id
        )
        or exists (
          select
          from consensus.leases as l
          where l.clip_id = i.clip_id
            and l.reviewer_id = p_user_id
            and l.expires_at > app.now()
        )
      )
  );
$$;

comment on function consensus.has_met(uuid, uuid) is
'Whether a user may know that a clip exists.';

revoke all on function consensus.has_met(uuid, uuid) from public, anon, authenticated, service_role;
