-- Open a clip for voting. Called by clips.submit_clip in its transaction.

create or replace function consensus.open_item(p_clip public.clips)
returns void
language sql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
  insert into consensus.items (clip_id, kind, language, author_id, tally, votes_needed)
  select p_clip.id, k.kind, p_clip.language, p_clip.author_id,
    array_fill(0, array[cardinality(k.labels)]), k.min_votes
  from consensus.kinds as k
  where k.kind = p_clip.kind;
$$;

comment on function consensus.open_item(public.clips) is
'Make a clip votable.';

revoke all on function consensus.open_item(public.clips) from public, anon, authenticated, service_role;
