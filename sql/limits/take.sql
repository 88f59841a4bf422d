-- Take one call from any slot of a bucket that has one left; refuse when none has.
--
-- p_slot is tried first: the caller may hold it already. A slot nobody holds is taken at once, and
-- made where it is missing. Where others hold all that are left, one of those is waited for, five
-- seconds at most: its holder may still fail and give it back, so only then is it known whether the
-- limit is reached. What to try is chosen anew each time by what is committed at that moment:
-- nobody waits for a used up slot, which those who came too late still hold. Two callers who each
-- hold the last slot the other wants can still wait in a circle; Postgres ends it, and one is refused.
-- Retry-After is the time until the first slot has a call again, in whole seconds rounded up.
-- Callers: limits.spend. Fails with rate_limited.

create or replace function limits.take(p_rule limits.rules, p_subject text, p_slot integer)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set plan_cache_mode = 'force_generic_plan'
set lock_timeout = '5s'
as $$
declare
  v_now constant timestamptz := app.now();
  v_slots integer[];
  v_slot integer;
  v_step interval;
  v_wait interval;
begin
  if p_subject is null then
    return;
  end if;

  loop
    select
      array_agg(s.slot order by s.slot <> p_slot, s.slot) filter (where s.wait <= '0'),
      min(s.wait)
    into v_slots, v_wait
    from (
      select
        g.slot,
        greatest(b.full_at, v_now)
        + case when g.slot < p_rule.burst % p_rule.slots then p_rule.larger_step else p_rule.step end
        - (v_now + p_rule.period) as wait
      from generate_series(0, p_rule.slots - 1) as g (slot)
      left join limits.buckets as b
        on b.subject = p_subject and b.door = p_rule.door and b.slot = g.slot
    ) as s;

    if v_slots is null then
      perform app.fail(
        'rate_limited',
        format(
          '%s: %s calls per %s seconds and %s',
          p_rule.door,
          p_rule.burst,
          extract(epoch from p_rule.period)::integer,
          case p_rule.scope when 'user' then 'person' else 'address' end
        ),
        p_headers => jsonb_build_object('Retry-After', ceil(extract(epoch from v_wait))::bigint::text)
      );
    end if;

    v_slot := null;
    for v_place in 1..cardinality(v_slots) loop
      if pg_try_advisory_xact_lock(hashtextextended(p_subject || p_rule.door, v_slots[v_place])) then
        v_slot := v_slots[v_place];
        exit;
      end if;
    end loop;

    if v_slot is null then
      v_slot := v_slots[1 + floor(random() * cardinality(v_slots))::integer];
      perform pg_advisory_xact_lock(hashtextextended(p_subject || p_rule.door, v_slot));
    end if;

    v_step := case when v_slot < p_rule.burst % p_rule.slots then p_rule.larger_step else p_rule.step end;
    insert into limits.buckets as b (subject, door, slot, full_at, last_call)
    values (p_subject, p_rule.door, v_slot, v_now + v_step, 0)
    on conflict on constraint buckets_pkey do update
    set full_at = greatest(b.full_at, v_now) + v_step
    where greatest(b.full_at, v_now) + v_step <= v_now + p_rule.period;

    if found then
      return;
    end if;
  end loop;
exception when lock_not_available or deadlock_detected then
  perform app.fail(
    'rate_limited', p_rule.door || ': too many calls at once', p_headers => '{"Retry-After": "1"}'
  );
end;
$$;

comment on function limits.take(limits.rules, text, integer) is
'Take a call from any slot of a bucket, or refuse.';

revoke all on function limits.take(limits.rules, text, integer) from public, anon, authenticated, service_role;
