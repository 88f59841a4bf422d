-- People and clips for the limits bench, bench.people and bench.clips of them.
--
-- Person n is md5('person ' || n), clip n has the n-th id; all clips are the last person's.
-- Everybody has skipped every clip once.

insert into auth.users (id, email, email_confirmed_at)
select
  md5('person ' || n)::uuid,
  'person' || n || '@bench.invalid',
  now()
from generate_series(0, current_setting('bench.people')::integer) as n;

with made as (
  insert into public.clips (id, author_id, kind, language, media_path, duration_ms, prompt)
  select
    ('01900000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid,
    md5('person ' || current_setting('bench.people'))::uuid,
    'voice',
    'sw',
    'bench/' || n || '.ogg',
    4000,
    'Say it.'
  from generate_series(0, current_setting('bench.clips')::integer - 1) as n
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
inner join consensus.kinds as k on m.kind = k.kind;

insert into consensus.skips (reviewer_id, clip_id)
select
  md5('person ' || p)::uuid,
  ('01900000-0000-7000-8000-' || lpad(to_hex(c), 12, '0'))::uuid
from generate_series(0, current_setting('bench.people')::integer - 1) as p
cross join generate_series(0, current_setting('bench.clips')::integer - 1) as c;
