-- Who voted what on a clip, for staff who have to judge it.
--
-- Callers: moderators and admins. Fails with not_permitted, rate_limited, clip_not_found.

create or replace function consensus.votes_on_clip(p_clip_id uuid)
returns setof public.votes
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform app.require_role('moderator', 'admin');
  perform limits.spend('votes_on_clip');

  if not exists (select from consensus.items as i where i.clip_id = p_clip_id) then
    perform app.fail('clip_not_found');
  end if;

  return query
  select v.*
  from public.votes as v
  where v.clip_id = p_clip_id
  order by v.created_at, v.voter_id;
end;
$$;

create or replace function public.votes_on_clip(clip_id uuid)
returns setof public.votes
language sql
volatile
set search_path = pg_catalog, pg_temp
as $$
  select *
  from consensus.votes_on_clip(votes_on_clip.clip_id);
$$;

comment on function consensus.votes_on_clip(uuid) is
'The rule behind the door public.votes_on_clip.';
comment on function public.votes_on_clip(uuid) is
'Staff: all votes on a clip, oldest first.';

revoke all on function consensus.votes_on_clip(uuid) from public, anon, authenticated, service_role;
revoke all on function public.votes_on_clip(uuid) from public, anon, authenticated, service_role;
grant execute on function consensus.votes_on_clip(uuid) to authenticated;
grant execute on function public.votes_on_clip(uuid) to authenticated;
