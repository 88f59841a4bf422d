"""What must be true of clips, votes, decisions and rewards at any moment, whatever happened."""

from __future__ import annotations

from typing import LiteralString

from tests.support.callers import Connection
from tests.support.money import broken_checks

# What a decided clip earns whom, by its votes as they stand; nobody by deciding it by hand.
EARNED = """
earned (clip_id, version, user_id, cause, amount) as (
  select i.clip_id, c.version, i.author_id, 'clip_author_reward', k.author_reward
  from consensus.items as i
  inner join public.clips as c on c.id = i.clip_id
  inner join consensus.kinds as k on k.kind = i.kind
  where i.state in ('decided', 'settled') and i.label = any (k.validating_labels)
  union all
  select i.clip_id, c.version, v.voter_id, 'clip_reviewer_reward', k.reviewer_reward
  from consensus.items as i
  inner join public.clips as c on c.id = i.clip_id
  inner join consensus.kinds as k on k.kind = i.kind
  inner join public.votes as v on v.clip_id = i.clip_id and v.label = i.label
  left join consensus.decisions as d on d.clip_id = c.id and d.version = c.version
  where i.state in ('decided', 'settled') and v.voter_id is distinct from d.decided_by
),
standing (clip_id, user_id, cause, amount, state) as (
  select h.cause_id, a.owner_id, h.cause, h.amount, h.state
  from ledger.holds as h
  inner join ledger.accounts as a on a.id = h.credit_account_id
  where h.cause like 'clip\\_%' and (
    h.state = 'pending'
    or exists (
      select from ledger.transfers as t
      where t.hold_id = h.id
        and not exists (select from ledger.transfers as r where r.reverses_transfer_id = t.id)
    )
  )
)
"""

CHECKS: dict[str, LiteralString] = {
    "every clip has its item": """
select from public.clips as c
where not exists (
  select from consensus.items as i
  where i.clip_id = c.id and i.author_id = c.author_id and i.kind = c.kind
    and i.language = c.language
)""",
    "tallies are the counts of the votes": """
select from consensus.items as i
inner join consensus.kinds as k on k.kind = i.kind
where i.tally <> array(
  select (
    select count(*)::integer from public.votes as v
    where v.clip_id = i.clip_id and v.label = l.label
  )
  from unnest(k.labels) with ordinality as l (label, place)
  order by l.place
)""",
    "open clips say how many votes they need, the others none": """
select from consensus.items as i
inner join consensus.kinds as k on k.kind = i.kind
where case
  when i.state = 'open'
    then i.votes_needed <> greatest(1, consensus.votes_needed(i.tally, k.min_votes))
  else i.votes_needed <> 0
end""",
    "a clip is pending exactly while nothing is decided": """
select from consensus.items as i
inner join public.clips as c on c.id = i.clip_id
inner join consensus.kinds as k on k.kind = i.kind
where c.status <> case
  when i.state in ('open', 'disputed') then 'pending'
  when i.label = any (k.validating_labels) then 'valid'
  else 'invalid'
end::public.validation_status""",
    "only valid clips that are not hidden are published": """
select from public.clips as c
where (c.published_at is not null) <> (c.status = 'valid' and not c.is_hidden)""",
    "every decided clip has the decision row of its version": """
select from consensus.items as i
inner join public.clips as c on c.id = i.clip_id
inner join consensus.kinds as k on k.kind = i.kind
left join consensus.decisions as d on d.clip_id = c.id and d.version = c.version
where i.state in ('decided', 'settled') and (
  d.status = c.status and d.label = i.label and c.status_reason = case
    when c.status = 'valid' then consensus.describe_tally(d.tally, k.labels)
    else d.reason
  end
) is not true""",
    "a disputed clip says its votes and who decides": """
select from consensus.items as i
inner join public.clips as c on c.id = i.clip_id
inner join consensus.kinds as k on k.kind = i.kind
where i.state = 'disputed' and (
  c.status_reason = consensus.describe_tally(i.tally, k.labels) || '; staff decide'
) is not true""",
    "versions count the decisions and the disputes": """
select from public.clips as c
where c.version <> 1 + (
  select count(*) from consensus.decisions as d
  where d.clip_id = c.id and d.version between 2 and c.version
) + (
  select count(*) from audit.events as e
  where e.action = 'clip_disputed' and e.subject_id = c.id::text
)""",
    "no version is of the future": """
select from consensus.decisions as d
inner join public.clips as c on c.id = d.clip_id
where d.version not between 2 and c.version""",
    "a decision by votes rests on a majority for its label": """
select from consensus.decisions as d
inner join public.clips as c on c.id = d.clip_id
inner join consensus.kinds as k on k.kind = c.kind
where d.rule = 'classic' and (
  d.tally[array_position(k.labels, d.label)] >= k.min_votes
  and 2 * d.tally[array_position(k.labels, d.label)]
    > (select sum(t.votes) from unnest(d.tally) as t (votes))
) is not true""",
    "nobody votes on their own clip, and votes are labels of the kind": """
select from public.votes as v
inner join consensus.items as i on i.clip_id = v.clip_id
inner join consensus.kinds as k on k.kind = i.kind
where v.voter_id = i.author_id or v.label <> all (k.labels)""",
    "everybody who earned is promised, paid or told why not": f"""
with {EARNED}
select from earned as e
where (
  select count(*) from standing as s
  where s.clip_id = e.clip_id and s.user_id = e.user_id and s.cause = e.cause
    and s.amount = e.amount
) + (
  select count(*) from consensus.withheld_rewards as w
  where w.clip_id = e.clip_id and w.version = e.version and w.user_id = e.user_id
    and w.cause = e.cause and w.amount = e.amount
) <> 1""",
    "nobody has a reward without having earned it": f"""
with {EARNED}
select from standing as s
where not exists (
  select from earned as e
  where e.clip_id = s.clip_id and e.user_id = s.user_id and e.cause = s.cause
    and e.amount = s.amount
)""",
    "rewards are held while a clip is decided and posted once it is settled": f"""
with {EARNED}
select from standing as s
inner join consensus.items as i on i.clip_id = s.clip_id
where (i.state = 'decided' and s.state = 'pending' or i.state = 'settled' and s.state = 'settled')
  is not true""",
    "the days' counters are the promises made on them and not taken back": """
select from (
  select a.owner_id as user_id, (h.created_at at time zone 'UTC')::date as day, h.currency,
    sum(h.amount) as promised
  from ledger.holds as h
  inner join ledger.accounts as a on a.id = h.credit_account_id
  where h.cause like 'clip\\_%' and (
    h.state = 'pending'
    or h.state = 'settled' and not exists (
      select from ledger.transfers as t
      inner join ledger.transfers as r on r.reverses_transfer_id = t.id
      where t.hold_id = h.id
    )
  )
  group by 1, 2, 3
) as h
full join consensus.reward_days as d using (user_id, day, currency)
where coalesce(h.promised, 0) <> coalesce(d.promised, 0)""",
    "nobody is promised more than the day's cap": """
select from consensus.reward_days as d
where d.promised > (select max(k.daily_reward_cap) from consensus.kinds as k)""",
    "every decision by a label is in the audit once": """
select from consensus.decisions as d
where d.label is not null and (
  select count(*) from audit.events as e
  where e.action = 'clip_decided' and e.subject_id = d.clip_id::text
    and e.details ->> 'version' = d.version::text
) <> 1""",
    "the author is told of every decision once": """
select from consensus.decisions as d
inner join public.clips as c on c.id = d.clip_id
where (
  select count(*) from jobs.outbox as o
  where o.event = 'clip_decided' and o.topic = 'user:' || c.author_id
    and o.payload ->> 'clip_id' = c.id::text and o.payload ->> 'version' = d.version::text
) <> 1""",
    "nobody is told of a decision that was not made": """
select from jobs.outbox as o
where o.event = 'clip_decided' and not exists (
  select from consensus.decisions as d
  where d.clip_id::text = o.payload ->> 'clip_id'
    and d.version::text = o.payload ->> 'version'
    and d.status::text = o.payload ->> 'status'
)""",
    "every change of a wallet is told to its owner": """
select from ledger.accounts as a
where a.purpose = 'wallet' and a.version > 0 and not exists (
  select from jobs.outbox as o
  where o.event = 'balance_updated' and o.topic = 'user:' || a.owner_id
    and o.payload ->> 'currency' = a.currency
    and (o.payload ->> 'version')::bigint = a.version
    and (o.payload ->> 'posted')::bigint = a.posted
)""",
    "leases on decided clips were live when they were decided": """
select from consensus.leases as l
inner join public.clips as c on c.id = l.clip_id
where l.expires_at <= c.decided_at""",
    "nobody holds a lease on their own clip": """
select from consensus.leases as l
inner join consensus.items as i on i.clip_id = l.clip_id
where i.author_id = l.reviewer_id""",
}


def broken(conn: Connection) -> list[str]:
    """Names of the statements that are not true now, the ledger's own proof included."""
    wrong = [name for name, query in CHECKS.items() if conn.execute(query).fetchone()]
    return wrong + broken_checks(conn)
