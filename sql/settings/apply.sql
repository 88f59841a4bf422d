-- Write a setting's new value to where it lives, and record it. The value has been checked.
--
-- Where a limit's period becomes shorter, nobody waits longer than the new one: what was used up
-- under the old is cut to it. Slots that a call holds at this moment are passed over, so that this
-- waits for no caller, who may wait for us.
-- Callers: settings.change_setting, settings.approve_setting_change.

create or replace function settings.apply(
  p_name text,
  p_value text,
  p_old_value text,
  p_reason text,
  p_details jsonb
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_path text[] := string_to_array(p_name, '.');
  v_rate text[];
begin
  update settings.entries as e
  set value = p_value
  where e.name = p_name;

  if not found and v_path[1] = 'consensus' then
    update consensus.kinds as k
    set
      min_votes = case v_path[3] when 'min_votes' then p_value::integer else k.min_votes end,
      max_votes = case v_path[3] when 'max_votes' then p_value::integer else k.max_votes end,
      author_reward = case v_path[3] when 'author_reward' then p_value::bigint else k.author_reward end,
      reviewer_reward = case v_path[3] when 'reviewer_reward' then p_value::bigint else k.reviewer_reward end,
      daily_reward_cap = case v_path[3] when 'daily_reward_cap' then p_value::bigint else k.daily_reward_cap end,
      settle_after = case v_path[3] when 'settle_after' then p_value::bigint * interval '1 second' else k.settle_after end,
      lease_duration = case v_path[3] when 'lease_duration' then p_value::bigint * interval '1 second' else k.lease_duration end,
      max_leased_per_author = case v_path[3] when 'max_leased_per_author' then p_value::integer else k.max_leased_per_author end
    where k.kind::text = v_path[2];
  elsif not found and v_path[1] = 'limits' then
    v_rate := regexp_match(p_value, '^([0-9]+) per ([0-9]+) s$');
    update limits.rules as r
    set
      burst = v_rate[1]::integer,
      period = v_rate[2]::integer * interval '1 second'
    where r.door = v_path[2]
      and r.scope::text = v_path[3];

    with ahead as (
      select b.subject, b.door, b.slot
      from limits.buckets as b
      where b.door = v_path[2]
        and b.subject like v_path[3] || ':%'
        and b.full_at > app.now() + v_rate[2]::integer * interval '1 second'
      for no key update skip locked
    )
    update limits.buckets as b
    set full_at = app.now() + v_rate[2]::integer * interval '1 second'
    from ahead as a
    where b.subject = a.subject
      and b.door = a.door
      and b.slot = a.slot;
  end if;

  perform audit.record(
    'setting_changed', 'setting', p_name, p_reason,
    jsonb_build_object('from', p_old_value, 'to', p_value) || p_details
  );
end;
$$;

comment on function settings.apply(text, text, text, text, jsonb) is
'Write a setting''s new value to its home, audited.';

revoke all on function settings.apply(text, text, text, text, jsonb) from public, anon, authenticated, service_role;
