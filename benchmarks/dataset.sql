-- The data set of the rls bench, made set by set: bench.clips clips of bench.authors authors
-- with ten times as many votes of bench.voters voters, and the books that go with them.
--
-- Seven clips in ten are decided by 13 votes (ten of them agree), nine tenths of those
-- settled; the others are open with 0 to 6 votes. No randomness but md5 of names, so
-- every run has the same rows. Triggers and foreign keys are off while it is made;
-- ledger.verify() proves the books afterwards. History that no measured query reads
-- (audit, outbox, reward days) is left out.
--
-- Only the live leases know today's date. Voter n is md5('voter ' || n), author n md5('author ' || n); clip n has the n-th id.

insert into auth.users (id, email, email_confirmed_at)
select
  md5(p.name)::uuid,
  replace(p.name, ' ', '') || '@bench.invalid',
  now()
from (
  select 'voter ' || n as name
  from generate_series(0, current_setting('bench.voters')::integer - 1) as n
  union all
  select 'author ' || n
  from generate_series(0, current_setting('bench.authors')::integer - 1) as n
) as p;

update consensus.kinds as k
set
  min_votes = 10,
  max_votes = 25
where k.kind = 'voice';

update limits.rules as r
set
  burst = 8000000,
  period = '1 day'
where true;

select ledger.fund_reward_pool('USD', 1000000000000);
select ledger.open_wallets(array(select p.id from public.profiles as p), 'USD');

set session_replication_role = replica;

insert into public.clips (
  id, author_id, kind, language, media_path, duration_ms, prompt, status, status_reason,
  version, created_at, decided_at, published_at
)
select
  ('01900000-0000-7000-8000-' || lpad(to_hex(c.n), 12, '0'))::uuid,
  md5('author ' || c.n % s.authors)::uuid,
  'voice',
  ('{sw,sw,sw,sw,yo,yo,ha,zu,ig,fr}'::text[])[c.n % 10 + 1],
  'bench/' || c.n || '.ogg',
  4000,
  'Say sentence number ' || c.n || ' as you would to a friend.',
  c.status,
  case when c.status <> 'pending' then 'Votes: 10 to 3' end,
  case when c.status = 'pending' then 1 else 2 end,
  c.created_at,
  case when c.status <> 'pending' then c.created_at + interval '1 day' end,
  case when c.status = 'valid' then c.created_at + interval '1 day' end
from (
  select
    current_setting('bench.authors')::integer as authors,
    current_setting('bench.clips')::integer as clips
) as s
cross join
  lateral (
    select
      n,
      timestamptz '2026-01-01 00:00Z' - (s.clips - n) * interval '5 minutes' as created_at,
      case
        when n / s.authors % 10 < 6 then 'valid'
        when n / s.authors % 10 < 7 then 'invalid'
        else 'pending'
      end::public.validation_status as status
    from generate_series(0, s.clips - 1) as n
  ) as c
order by c.n;

insert into public.votes (clip_id, voter_id, label, created_at, updated_at)
select
  c.id,
  md5('voter ' || (c.n * 13 + j * 151) % s.voters)::uuid,
  case
    when c.status = 'pending' then case when j % 4 = 3 then 'invalid' else 'valid' end
    when (c.status = 'valid') = (j < 10) then 'valid'
    else 'invalid'
  end,
  c.created_at + j * interval '1 hour',
  c.created_at + j * interval '1 hour'
from (
  select current_setting('bench.voters')::integer as voters
) as s
cross join (
  select
    c.id,
    c.status,
    c.created_at,
    row_number() over (order by c.id) - 1 as n
  from public.clips as c
) as c
cross join
  lateral generate_series(
    0, case when c.status = 'pending' then c.n / 5 % 7 else 13 end - 1
  ) as j
order by c.id, j;

insert into consensus.items (
  clip_id, kind, language, author_id, state, tally, votes_needed, label, settle_at
)
select
  c.id,
  c.kind,
  c.language,
  c.author_id,
  t.state,
  t.tally,
  case when t.state = 'open' then 10 - greatest(t.tally[1], t.tally[2]) else 0 end,
  case when t.state <> 'open' then c.status::text end,
  case when t.state = 'decided' then c.decided_at + interval '7 days' end
from public.clips as c
cross join
  lateral (
    select
      array[count(*) filter (where v.label = 'valid'), count(*) filter (where v.label = 'invalid')]::integer[] as tally,
      case
        when c.status = 'pending' then 'open'
        when right(c.id::text, 1) = '0' then 'decided'
        else 'settled'
      end::consensus.item_state as state
    from public.votes as v
    where v.clip_id = c.id
  ) as t
order by c.id;

insert into consensus.decisions (clip_id, version, status, label, rule, tally, reason, created_at)
select
  c.id,
  c.version,
  c.status,
  i.label,
  'classic',
  i.tally,
  c.status_reason,
  c.decided_at
from public.clips as c
inner join consensus.items as i on c.id = i.clip_id
where i.state <> 'open'
order by c.decided_at;

analyze public.clips, public.votes, consensus.items, ledger.accounts;

-- The rewards: a hold each, from the slot the clip's number falls on.

insert into ledger.holds (
  debit_account_id, credit_account_id, currency, amount, settled_amount, state, cause, cause_id,
  created_at, resolved_at
)
select
  p.id as debit_account_id,
  w.id as credit_account_id,
  k.currency,
  e.amount,
  case when i.state = 'settled' then e.amount end,
  case when i.state = 'settled' then 'settled' else 'pending' end::ledger.hold_state,
  e.cause,
  i.clip_id,
  c.decided_at,
  case when i.state = 'settled' then c.decided_at + k.settle_after end
from consensus.items as i
inner join consensus.kinds as k on i.kind = k.kind
inner join public.clips as c on i.clip_id = c.id
cross join
  lateral (
    select
      c.author_id as person_id,
      k.author_reward as amount,
      'clip_author_reward' as cause
    where c.status = 'valid'
    union all
    select
      v.voter_id,
      k.reviewer_reward,
      'clip_reviewer_reward'
    from public.votes as v
    where v.clip_id = i.clip_id
      and v.label = i.label
  ) as e
inner join ledger.accounts as w
  on e.person_id = w.owner_id and k.currency = w.currency and w.purpose = 'wallet'
inner join ledger.accounts as p
  on p.purpose = 'reward_pool' and k.currency = p.currency
    and p.slot = ('x' || right(i.clip_id::text, 2))::bit(8)::integer % 16
where i.state in ('decided', 'settled')
order by c.decided_at, i.clip_id;

insert into ledger.transfers (
  debit_account_id, credit_account_id, currency, amount, cause, cause_id, hold_id, event_at, created_at
)
select
  h.debit_account_id,
  h.credit_account_id,
  h.currency,
  h.amount,
  h.cause,
  h.cause_id,
  h.id,
  h.created_at,
  h.resolved_at
from ledger.holds as h
where h.state = 'settled'
order by h.id;

analyze ledger.holds, ledger.transfers;

insert into ledger.entries (
  account_id, version, owner_id, transfer_id, amount, balance_after, cause, cause_id, event_at, created_at
)
select
  l.account_id,
  a.version + row_number() over in_account,
  a.owner_id,
  t.id,
  l.amount,
  a.posted + sum(l.amount) over in_account,
  t.cause,
  t.cause_id,
  t.event_at,
  t.created_at
from ledger.transfers as t
cross join
  lateral (
    values (t.debit_account_id, -t.amount), (t.credit_account_id, t.amount)
  ) as l (account_id, amount)
inner join ledger.accounts as a on l.account_id = a.id
where t.hold_id is not null
window in_account as (partition by l.account_id order by t.id);

analyze ledger.entries;

update ledger.accounts as a
set
  posted = b.balance_after,
  version = b.version
from (
  select distinct on (e.account_id)
    e.account_id,
    e.version,
    e.balance_after
  from ledger.entries as e
  order by e.account_id asc, e.version desc
) as b
where a.id = b.account_id;

update ledger.accounts as a
set held = h.held
from (
  select
    h.debit_account_id,
    sum(h.amount) as held
  from ledger.holds as h
  where h.state = 'pending'
  group by h.debit_account_id
) as h
where a.id = h.debit_account_id;

-- A tenth of the voters are at work: each holds five leases in the biggest language.

insert into consensus.leases (clip_id, reviewer_id, expires_at)
select
  i.clip_id,
  md5('voter ' || (i.nth - 1) / 5)::uuid,
  now() + interval '1 day'
from (
  select
    i.clip_id,
    row_number() over (order by i.votes_needed, i.clip_id) as nth
  from consensus.items as i
  where i.language = 'sw'
    and i.state = 'open'
) as i
where i.nth <= current_setting('bench.voters')::integer / 10 * 5;

set session_replication_role = origin;
