-- Lock all that overruling a clip may move, at once and in the order of the house:
-- the day's promises of its people, then every pool slot and their wallets by id.
--
-- Staff may void, reverse, promise and post in one call; locking step by step would
-- cross the settling job's single ordered pass. Holds the whole pool of its currency
-- for some milliseconds: meant for the rare hand, not for votes.
-- Callers: consensus.set_validation_status, which has locked the item.

create or replace function consensus.lock_consequences(
  p_item consensus.items,
  p_kind consensus.kinds
)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_people uuid[] := array(
    select p_item.author_id
    union
    select v.voter_id
    from public.votes as v
    where v.clip_id = p_item.clip_id
  );
begin
  insert into consensus.reward_days as d (user_id, day, currency, promised)
  select p.id, (app.now() at time zone 'UTC')::date, p_kind.currency, 0
  from unnest(v_people) as p (id)
  order by p.id
  on conflict on constraint reward_days_pkey do update set promised = d.promised;

  perform ledger.open_wallets(v_people, p_kind.currency);

  perform
  from ledger.accounts as a
  where (a.purpose = 'wallet' and a.owner_id = any (v_people))
    or (
      a.purpose = 'reward_pool'
      and a.currency in (
        select p_kind.currency
        union
        select h.currency
        from ledger.holds as h
        where h.cause_id = p_item.clip_id
      )
    )
  order by a.id
  for no key update;
end;
$$;

comment on function consensus.lock_consequences(consensus.items, consensus.kinds) is
'Lock, in one order, everything that overruling a clip may move.';

revoke all on function consensus.lock_consequences(consensus.items, consensus.kinds)
from public, anon, authenticated, service_role;
