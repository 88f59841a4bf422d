-- Undo what a decision promised or paid: void the pending holds, reverse the posted
-- transfers. The caller has locked the item.
--
-- Callers: consensus.set_validation_status.

create or replace function consensus.undo_rewards(p_clip_id uuid)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
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
