-- Lock all that overruling a clip may move, at once and in the order of the house:
-- the days' promises to its people, then every pool slot and their wallets by id. Its
-- holds need no lock before the accounts: whoever touches them has locked the item.
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
set search_path = pg_catalog, pg_temp
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
  select p.id, p.day, p.currency, 0
  from (
    select u.id, (app.now() at time zone 'UTC')::date as day, p_kind.currency
    from unnest(v_people) as u (id)
    union
    select a.owner_id, (h.created_at at time zone 'UTC')::date, h.currency
    from ledger.holds as h
    inner join ledger.accounts as a on a.id = h.credit_account_id
    where h.cause_id = p_item.clip_id
  ) as p
  order by p.id, p.day, p.currency
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
