-- What everyone may see: published clips with their author's public profile.
--
-- Runs with the reader's rights, and names its columns, so that a new column of
-- clips is not shown by accident. Order by published_at desc within a language to be
-- served by clips_feed_idx.

create or replace view public.clip_feed
with (security_invoker = true)
as
select
  c.id,
  c.kind,
  c.language,
  c.media_path,
  c.duration_ms,
  c.prompt,
  c.transcript,
  c.author_id,
  p.handle as author_handle,
  p.display_name as author_display_name,
  p.avatar_path as author_avatar_path,
  c.published_at
from public.clips as c
inner join public.profiles as p on c.author_id = p.id
where c.published_at is not null;

comment on view public.clip_feed is
'Validated clips that everyone may see, with their authors. Newest: order by published_at desc.';

revoke all on public.clip_feed from public, anon, authenticated, service_role;
grant select on public.clip_feed to anon, authenticated, service_role;
