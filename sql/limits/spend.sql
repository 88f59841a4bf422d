-- Take one call of a door from the caller's limits, or refuse: per person, then per address.
--
-- The first thing a rule does once it knows its caller. Most calls find one of two slots free and
-- pay for one statement; the others go on to limits.take. A slot belongs to whoever holds its
-- advisory lock until they commit, so that nobody waits for a row. Only limits.take waits, and
-- before anything a rule locks, so callers do not deadlock.
-- A call that is refused, here or later by its rule, takes nothing.
-- Without a request (the worker, psql) and for service_role there is no limit; a caller who is
-- not signed in has the address's alone.
-- Callers: rules. Fails with rate_limited.

create or replace function limits.spend(p_door text)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set plan_cache_mode = 'force_generic_plan'
as $$
declare
  v_call constant bigint := (random() * 9007199254740992)::bigint;
  v_now timestamptz;
  v_person text;
  v_address text;
  v_slot integer := 0;
  v_is_free boolean;
  v_taken integer;
  v_rule limits.rules;
begin
  if coalesce(current_setting('request.headers', true), '') = '' or current_setting('role') = 'service_role' then
    return;
  end if;

  v_now := app.now();
  v_person := 'user:' || auth.uid();
  v_address := 'ip:' || limits.client_address();

  v_is_free := pg_try_advisory_xact_lock(hashtextextended(v_address || p_door, 0));
  if not v_is_free then
    v_slot := 1 + pg_backend_pid() % 15;
    v_is_free := pg_try_advisory_xact_lock(hashtextextended(v_address || p_door, v_slot));
  end if;

  if v_is_free and pg_try_advisory_xact_lock(hashtextextended(v_person || p_door, 0)) then
    update limits.buckets as b
    set
      full_at = greatest(b.full_at, v_now) + case when b.slot < r.burst % r.slots then r.larger_step else r.step end,
      last_call = v_call
    from limits.rules as r
    where r.door = p_door
      and b.subject = case r.scope when 'user' then v_person else v_address end
      and b.door = p_door
      and b.slot = case r.scope when 'user' then 0 else v_slot end
      and b.slot < r.slots
      and greatest(b.full_at, v_now) + case when b.slot < r.burst % r.slots then r.larger_step else r.step end
        <= v_now + r.period;
    get diagnostics v_taken = row_count;

    if v_taken = 2 then
      return;
    end if;
  end if;

  for v_rule in
    select r.*
    from limits.rules as r
    where r.door = p_door
      and not exists (
        select
        from limits.buckets as b
        where b.subject = case r.scope when 'user' then v_person else v_address end
          and b.door = p_door
          and b.slot = case r.scope when 'user' then 0 else v_slot end
          and b.last_call = v_call
      )
    order by r.scope
  loop
    perform limits.take(
      v_rule,
      case v_rule.scope when 'user' then v_person else v_address end,
      case v_rule.scope when 'user' then 0 else v_slot end
    );
  end loop;
end;
$$;

comment on function limits.spend(text) is
'Take one call of a door from the limits of the caller and of their address.';

revoke all on function limits.spend(text) from public, anon, authenticated, service_role;
