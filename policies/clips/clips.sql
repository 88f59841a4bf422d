-- Everyone sees published clips; an author sees their own whatever became of them;
-- staff see all. Nobody writes directly: submit_clip and cast_vote are the doors.
--
-- One column says whether a clip is public, so the policy costs a null test.

drop policy if exists select_visible on public.clips;
create policy select_visible on public.clips
for select to anon, authenticated
using (
  published_at is not null
  or author_id = (select auth.uid())
  or (select app.is_staff())
);

revoke all on public.clips from public, anon, authenticated, service_role;
grant select on public.clips to anon, authenticated, service_role;
