-- Promise what a decision earns: pending transfers from the reward pool to wallets.
--
-- The author of a valid clip and every reviewer whose vote agrees, except the one who
-- decides by hand, and erased accounts. Each person's
-- promises of a UTC day stay within daily_reward_cap, exactly, because the day's row
-- is locked as it grows; a reward that would go over it, or that the pool cannot pay,
-- is withheld and recorded, and the decision stands.
-- Locks reward_days in order of person, then one pool slot.
-- Callers: consensus.decide.

create or replace function consensus.promise_rewards(
  p_clip public.clips,
  p_kind consensus.kinds,
  p_label text,
  p_decided_by uuid
)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_day date := (app.now() at time zone 'UTC')::date;
  v_people uuid[];
  v_amounts bigint[];
  v_causes text[];
  v_within uuid[];
  v_total bigint;
  v_slot_id bigint;
begin
  select array_agg(e.user_id order by e.user_id), array_agg(e.amount order by e.user_id), array_agg(e.cause order by e.user_id)
  into v_people, v_amounts, v_causes
  from (
    select p_clip.author_id as user_id, p_kind.author_reward as amount, 'clip_author_reward' as cause
    where p_clip.status = 'valid'
    union all
    select v.voter_id, p_kind.reviewer_reward, 'clip_reviewer_reward'
    from public.votes as v
    where v.clip_id = p_clip.id
      and v.label = p_label
      and v.voter_id <> p_clip.author_id
      and v.voter_id is distinct from p_decided_by
  ) as e
  where e.amount > 0
    and not exists (select from identity.erasures as g where g.user_id = e.user_id);

  if v_people is null then
    return;
  end if;

  with grown as (
    insert into consensus.reward_days as d (user_id, day, currency, promised)
    select e.user_id, v_day, p_kind.currency, e.amount
    from unnest(v_people, v_amounts) as e (user_id, amount)
    where e.amount <= p_kind.daily_reward_cap
    order by e.user_id
    on conflict on constraint reward_days_pkey do update
    set promised = d.promised + excluded.promised
    where d.promised + excluded.promised <= p_kind.daily_reward_cap
    returning d.user_id
  )
  select array_agg(g.user_id) into v_within from grown as g;

  select sum(e.amount)
  into v_total
  from unnest(v_people, v_amounts) as e (user_id, amount)
  where e.user_id = any (v_within);

  if v_total > 0 then
    v_slot_id := ledger.lock_pool_slot(p_kind.currency, v_total);
  end if;

  if v_slot_id is null then
    update consensus.reward_days as d
    set promised = d.promised - e.amount
    from unnest(v_people, v_amounts) as e (user_id, amount)
    where d.user_id = e.user_id
      and d.user_id = any (v_within)
      and d.day = v_day
      and d.currency = p_kind.currency;
  else
    perform ledger.open_wallets(v_within, p_kind.currency);
    perform ledger.place_holds(array(
      select row(v_slot_id, a.id, e.amount, e.cause, p_clip.id, null)::ledger.hold_request
      from unnest(v_people, v_amounts, v_causes) as e (user_id, amount, cause)
      inner join ledger.accounts as a
        on a.owner_id = e.user_id and a.currency = p_kind.currency and a.purpose = 'wallet'
      where e.user_id = any (v_within)
    ));
  end if;

  if v_slot_id is null or cardinality(v_within) < cardinality(v_people) then
    insert into consensus.withheld_rewards (clip_id, version, user_id, cause, currency, amount, why, created_at)
    select
      p_clip.id, p_clip.version, e.user_id, e.cause, p_kind.currency, e.amount,
      case when e.user_id = any (v_within) then 'pool_empty' else 'daily_cap' end,
      app.now()
    from unnest(v_people, v_amounts, v_causes) as e (user_id, amount, cause)
    where v_slot_id is null
      or (e.user_id = any (v_within)) is not true;
  end if;
end;
$$;

comment on function consensus.promise_rewards(public.clips, consensus.kinds, text, uuid) is
'Hold the rewards of a decision for the author and the agreeing reviewers.';

revoke all on function consensus.promise_rewards(public.clips, consensus.kinds, text, uuid)
from public, anon, authenticated, service_role;
