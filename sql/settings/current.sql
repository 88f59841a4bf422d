-- Every setting there is with its value, wherever it lives: the catalogue behind the admin doors.
--
-- Settings of consensus are columns of consensus.kinds, limits are rows of limits.rules; here they
-- only get a name and bounds. Whoever adds one with a new home adds it to settings.apply too.
-- Callers: the rules of this domain.

create or replace function settings.current()
returns table (
  name text,
  type public.setting_type,
  value text,
  lowest bigint,
  highest bigint,
  pattern text,
  needs_approval boolean,
  description text
)
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select e.name, e.type, e.value, e.lowest, e.highest, e.pattern, e.needs_approval, e.description
  from settings.entries as e
  union all
  select
    format('consensus.%s.%s', k.kind, c.name),
    c.type::public.setting_type,
    c.value::text,
    c.lowest,
    c.highest,
    null,
    c.needs_approval,
    c.description
  from consensus.kinds as k
  cross join lateral (
    values
    ('min_votes', 'integer', k.min_votes::bigint, 1::bigint, k.max_votes::bigint, true, 'Votes the winning label needs at least.'),
    ('max_votes', 'integer', k.max_votes, k.min_votes, 1000, true, 'Votes after which voting ends undecided.'),
    ('author_reward', 'integer', k.author_reward, 0, 1000000, true, 'Minor units for the author of a valid clip.'),
    ('reviewer_reward', 'integer', k.reviewer_reward, 0, 1000000, true, 'Minor units for each reviewer who agreed.'),
    (
      'daily_reward_cap', 'integer', k.daily_reward_cap, 0, 1000000000, true,
      'Minor units one person may be promised per UTC day.'
    ),
    (
      'settle_after', 'seconds', extract(epoch from k.settle_after)::bigint, 0, 31536000, true,
      'How long a reward stays held before it is posted.'
    ),
    (
      'lease_duration', 'seconds', extract(epoch from k.lease_duration)::bigint, 60, 86400, false,
      'How long a clip stays with a reviewer.'
    ),
    (
      'max_leased_per_author', 'integer', k.max_leased_per_author, 1, 100, false,
      'Clips of one speaker a reviewer may hold at a time.'
    )
  ) as c (name, type, value, lowest, highest, needs_approval, description)
  union all
  select
    format('limits.%s.%s', r.door, r.scope),
    'rate',
    format('%s per %s s', r.burst, extract(epoch from r.period)::integer),
    case when r.door in ('change_setting', 'approve_setting_change', 'reject_setting_change') then 5 else 1 end,
    1000000,
    null,
    false,
    format('Calls of %s at once and refilled over the time, for each %s.', r.door,
      case r.scope when 'user' then 'person' else 'address' end)
  from limits.rules as r;
$$;

comment on function settings.current() is
'Every setting: value, bounds, and whether two admins are needed.';

revoke all on function settings.current() from public, anon, authenticated, service_role;
