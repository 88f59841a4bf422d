-- Undo what a decision promised or paid: void the pending holds, reverse the posted
-- transfers, and give the amounts back to the days that promised them. The caller has
-- locked the item and all of it (consensus.lock_consequences).
--
-- Callers: consensus.set_validation_status.

create or replace function consensus.undo_rewards(p_clip_id uuid)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  update consensus.reward_days as d
  set promised = d.promised - g.amount
  from (
    select
      a.owner_id,
      (h.created_at at time zone 'UTC')::date as day,
      h.currency,
      sum(h.amount) as amount
    from ledger.holds as h
    inner join ledger.accounts as a on a.id = h.credit_account_id
    left join ledger.transfers as t on t.hold_id = h.id
    where h.cause_id = p_clip_id
      and (
        h.state = 'pending'
        or (
          h.state = 'settled'
          and not exists (select from ledger.transfers as r where r.reverses_transfer_id = t.id)
        )
      )
    group by a.owner_id, day, h.currency
  ) as g
  where d.user_id = g.owner_id
    and d.day = g.day
    and d.currency = g.currency;

  perform ledger.release_holds(array(
    select h.id
    from ledger.holds as h
    where h.cause_id = p_clip_id
      and h.state = 'pending'
    order by h.id
  ));

  perform ledger.reverse_transfers(array(
    select t.id
    from ledger.transfers as t
    where t.cause_id = p_clip_id
      and t.hold_id is not null
      and not exists (select from ledger.transfers as r where r.reverses_transfer_id = t.id)
    order by t.id
  ));
end;
$$;

comment on function consensus.undo_rewards(uuid) is
'Void the held and reverse the posted rewards of a clip.';

revoke all on function consensus.undo_rewards(uuid) from public, anon, authenticated, service_role;
