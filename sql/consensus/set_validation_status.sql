-- Staff set a clip's validation status by hand, with a reason: confirm, overrule, or
-- reopen the vote. The protected action of this domain; every use is audited.
--
-- valid or invalid: final at once. The same as the community's decision confirms it and
-- posts its rewards now; another one undoes the rewards (held ones voided, posted ones
-- reversed), pays the other side, and settles. pending: rewards undone, voting goes on.
-- Locks the item, then all that may move (consensus.lock_consequences).
-- Callers: moderators and admins, not on their own clips. Fails with not_permitted,
-- rate_limited, clip_not_found, own_clip, status_unchanged, invalid_input,
-- idempotency_key_reused, idempotency_key_in_use.

drop function if exists public.set_validation_status(uuid, public.validation_status, text);
drop function if exists consensus.set_validation_status(uuid, public.validation_status, text);

create or replace function consensus.set_validation_status(
  p_clip_id uuid,
  p_status public.validation_status,
  p_reason text,
  p_idempotency_key text
)
returns public.validation_outcome
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_staff_id uuid := app.require_role('moderator', 'admin');
  v_key text := app.idempotency_key(p_idempotency_key);
  v_reason text := app.require_text('reason', p_reason, 1, 2000);
  v_answer jsonb;
  v_item consensus.items;
  v_kind consensus.kinds;
  v_clip public.clips;
  v_previous public.validation_status;
  v_label text;
  v_outcome public.validation_outcome;
begin
  perform limits.spend('set_validation_status');

  if p_status is null then
    perform app.fail('invalid_input', 'status: pending, valid or invalid');
  end if;

  v_answer := app.claim_idempotency_key(v_staff_id, v_key, 'set_validation_status', jsonb_build_object(
    'clip_id', p_clip_id, 'status', p_status, 'reason', v_reason
  ));
  if v_answer is not null then
    return jsonb_populate_record(null::public.validation_outcome, v_answer);
  end if;

  select i.*
  into v_item
  from consensus.items as i
  where i.clip_id = p_clip_id
  for no key update;

  if not found then
    perform app.fail('clip_not_found');
  end if;
  if v_item.author_id = v_staff_id then
    perform app.fail('own_clip');
  end if;

  select c.* into v_clip from public.clips as c where c.id = p_clip_id;
  select k.* into v_kind from consensus.kinds as k where k.kind = v_item.kind;
  v_previous := v_clip.status;

  if p_status = v_previous and v_item.state in ('open', 'settled') then
    perform app.fail('status_unchanged');
  end if;

  perform consensus.lock_consequences(v_item, v_kind);

  if p_status = v_previous and v_item.state = 'decided' then
    perform consensus.settle_clips(array[p_clip_id]);
  else
    perform consensus.undo_rewards(p_clip_id);
    if p_status = 'pending' then
      v_clip := consensus.reopen(v_item, v_kind, v_reason);
    else
      v_label := case
        when p_status = 'valid' then v_kind.validating_labels[1]
        else (select l.label from unnest(v_kind.labels) as l (label) where l.label <> all (v_kind.validating_labels) limit 1)
      end;
      v_clip := consensus.decide(v_item, v_kind, v_label, 'staff', v_reason);
      perform consensus.settle_clips(array[p_clip_id]);
    end if;
  end if;

  perform audit.record(
    'validation_status_set', 'clip', p_clip_id::text, v_reason,
    jsonb_build_object('from', v_previous, 'to', p_status, 'version', v_clip.version)
  );

  v_outcome := row(p_clip_id, v_clip.status, v_previous, p_status <> 'pending', v_clip.version);
  perform app.store_idempotent_response(v_staff_id, v_key, to_jsonb(v_outcome));
  return v_outcome;
end;
$$;

create or replace function public.set_validation_status(
  clip_id uuid,
  status public.validation_status,
  reason text,
  idempotency_key text default null
)
returns public.validation_outcome
language sql
volatile
set search_path = pg_catalog, pg_temp
as $$
  select consensus.set_validation_status(
    set_validation_status.clip_id,
    set_validation_status.status,
    set_validation_status.reason,
    set_validation_status.idempotency_key
  );
$$;

comment on function consensus.set_validation_status(uuid, public.validation_status, text, text) is
'The rule behind the door public.set_validation_status.';
comment on function public.set_validation_status(uuid, public.validation_status, text, text) is
'Staff: confirm, overrule or reopen a clip''s validation, with a reason. Final and paid at once unless pending.';

revoke all on function consensus.set_validation_status(uuid, public.validation_status, text, text)
from public, anon, authenticated, service_role;
revoke all on function public.set_validation_status(uuid, public.validation_status, text, text)
from public, anon, authenticated, service_role;
grant execute on function consensus.set_validation_status(uuid, public.validation_status, text, text) to authenticated;
grant execute on function public.set_validation_status(uuid, public.validation_status, text, text) to authenticated;
