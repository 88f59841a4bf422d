-- Fresh clips for one arm: bench.clips per lane from bench.first_clip on, open for votes.
--
-- The n-th clip of lane l has the id of number first_clip + l * clips + n, in time order as
-- uuid_v7 makes them. Items are opened as consensus.open_item does, all at once.

with made as (
  insert into public.clips (id, author_id, kind, language, media_path, duration_ms, prompt)
  select
    ('01900000-0000-7000-8000-' || lpad(to_hex(c.number), 12, '0'))::uuid,
    md5('person ' || c.lane * (s.voters + s.authors) + s.voters + c.nth % s.authors)::uuid,
    'voice',
    'sw',
    'bench/' || c.number || '.ogg',
    4000,
    'Say it.'
  from (
    select
      current_setting('bench.lanes')::integer as lanes,
      current_setting('bench.voters')::integer as voters,
      current_setting('bench.authors')::integer as authors,
      current_setting('bench.first_clip')::bigint as first_clip,
      current_setting('bench.clips')::integer as clips
  ) as s
  cross join
    lateral (
      select
        l.lane,
        n.nth,
        s.first_clip + l.lane * s.clips + n.nth as number
      from generate_series(0, s.lanes - 1) as l (lane)
      cross join generate_series(0, s.clips - 1) as n (nth)
    ) as c
  order by c.number
  returning id, kind, language, author_id
)

insert into consensus.items (clip_id, kind, language, author_id, tally, votes_needed)
select
  m.id,
  m.kind,
  m.language,
  m.author_id,
  array_fill(0, array[cardinality(k.labels)]),
  k.min_votes
from made as m
inner join consensus.kinds as k on m.kind = k.kind
order by m.id;
