-- Who may see votes: the voter. Staff read a clip's votes through votes_on_clip, which
-- keeps this policy to one indexed column. Nobody writes directly: cast_vote is the door.

drop policy if exists select_own on public.votes;
create policy select_own on public.votes
for select to authenticated
using (voter_id = (select auth.uid()));

revoke all on public.votes from public, anon, authenticated, service_role;
grant select on public.votes to authenticated, service_role;
