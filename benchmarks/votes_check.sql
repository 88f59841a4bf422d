-- What must hold of one arm's votes: its clips are numbered bench.first_clip up to, not
-- including, bench.end_clip; bench.votes votes were acknowledged. A row per invariant.

with
range as (
  select
    ('01900000-0000-7000-8000-' || lpad(to_hex(current_setting('bench.first_clip')::bigint), 12, '0'))::uuid as lo,
    ('01900000-0000-7000-8000-' || lpad(to_hex(current_setting('bench.end_clip')::bigint), 12, '0'))::uuid as hi
),

item as (
  select
    i.clip_id,
    i.state,
    i.tally,
    i.votes_needed,
    count(v.voter_id) as votes
  from range as r
  inner join consensus.items as i on r.lo <= i.clip_id and r.hi > i.clip_id
  left join public.votes as v on i.clip_id = v.clip_id
  group by i.clip_id
),

total as (
  select
    sum(i.votes) as votes,
    count(*) filter (where i.votes = 10) as complete
  from item as i
)

select
  'acknowledged votes are there, and no others',
  t.votes = current_setting('bench.votes')::bigint
from total as t
union all
select
  'every tally is its votes',
  not exists (
    select from item as i
    where i.tally <> array[i.votes, 0]::integer[]
  )
union all
select
  'a clip is decided by its tenth vote and by no other',
  not exists (
    select from item as i
    where (i.state = 'decided') <> (i.votes = 10) or i.votes > 10
  )
union all
select
  'one decision per decided clip',
  (
    select count(*) from range as r inner join consensus.decisions as d on r.lo <= d.clip_id and r.hi > d.clip_id
  ) = t.complete
from total as t
union all
select
  'eleven rewards held per decision',
  (
    select count(*)
    from range as r
    inner join ledger.holds as h on r.lo <= h.cause_id and r.hi > h.cause_id
    where h.state = 'pending'
  ) = t.complete * 11
from total as t
union all
select
  'no reward withheld',
  not exists (select from consensus.withheld_rewards)
union all
select
  'one audit row per decision',
  (
    select count(*)
    from range as r
    inner join audit.events as e
      on e.subject_type = 'clip' and e.subject_id >= r.lo::text and e.subject_id < r.hi::text
    where e.action = 'clip_decided'
  ) = t.complete
from total as t
union all
select
  'eleven people told per decision',
  (
    select count(*)
    from jobs.outbox as o
    where o.id > current_setting('bench.outbox_before')::bigint
      and o.event = 'clip_decided'
  ) = t.complete * 11
from total as t
union all
select
  'books: ' || b.check_name,
  b.holds
from ledger.verify() as b;
