-- Settings that admins change through audited doors, the dangerous ones by two of them.
--
-- Only values that have no home yet live here. Rewards and vote counts stay columns of
-- consensus.kinds, limits stay rows of limits.rules; the same doors change them there.

create schema settings;
grant usage on schema settings to authenticated, service_role;

comment on schema settings is 'Sensitive settings and how they were changed.';

create type public.setting_type as enum ('integer', 'seconds', 'text', 'rate');
comment on type public.setting_type is
'How a setting''s value is written: 12, seconds as 3600, text, or a rate as 60 per 120 s.';

create table settings.entries (
  name text primary key,
  type public.setting_type not null,
  value text not null,
  lowest bigint,
  highest bigint,
  pattern text,
  needs_approval boolean not null,
  description text not null,

  constraint entries_name_is_a_path check (name ~ '^[a-z_]+(\.[a-z_]+)+$'),
  constraint entries_are_bounded check ((type = 'text') = (pattern is not null) and (type = 'text') = (lowest is null)),
  constraint entries_bounds_in_order check (num_nulls(lowest, highest) in (0, 2) and lowest <= highest)
);
alter table settings.entries enable row level security;

comment on table settings.entries is 'Settings without another home: value, bounds, and whether two admins are needed.';

insert into settings.entries (name, type, value, lowest, highest, pattern, needs_approval, description)
values
(
  'limits.client_address_header', 'text', 'cf-connecting-ip', null, null, '^[a-z0-9-]{1,64}$', true,
  'Request header that tells a client''s address and that clients cannot set: your own proxy must overwrite or append to it.'
),
(
  'limits.trusted_proxies', 'integer', '0', 0, 10, null, true,
  'How many addresses at the right end of that header are those of your own proxies.'
),
(
  'settings.approval_expires_after', 'seconds', '259200', 3600, 2592000, null, true,
  'How long a proposed change waits for a second admin.'
),
(
  'app.keep_idempotency_keys', 'seconds', '172800', 86400, 2592000, null, false,
  'How long an answer is kept under its idempotency key.'
);

create type public.setting_change_state as enum ('proposed', 'applied', 'rejected', 'superseded', 'expired');
comment on type public.setting_change_state is
'proposed: waits for a second admin; superseded: another proposal for the setting came later.';

create table settings.changes (
  id uuid primary key default app.uuid_v7(),
  name text not null,
  old_value text not null,
  new_value text not null,
  reason text not null,
  state public.setting_change_state not null,
  proposed_by uuid not null references public.profiles (id) on delete restrict,
  proposed_at timestamptz not null,
  expires_at timestamptz,
  decided_by uuid references public.profiles (id) on delete restrict,
  decided_at timestamptz,

  constraint changes_reason_length check (length(reason) between 1 and 2000),
  constraint changes_decided_unless_open check ((state in ('proposed', 'expired')) = (decided_at is null)),
  constraint changes_not_by_oneself check (expires_at is null or state <> 'applied' or decided_by <> proposed_by)
);
alter table settings.changes enable row level security;

create unique index changes_one_proposal_per_setting on settings.changes (name) where state = 'proposed';
create index changes_proposed_by_idx on settings.changes (proposed_by);
create index changes_decided_by_idx on settings.changes (decided_by);

comment on table settings.changes is 'Every change of a setting, applied, waiting or given up. expires_at is set where two admins are needed.';

create table settings.deployment (
  singleton boolean primary key default true,
  environment text not null,
  stamped_at timestamptz not null default now(),

  constraint deployment_has_one_row check (singleton),
  constraint deployment_environment_is_known check (environment in ('local', 'test', 'production'))
);
alter table settings.deployment enable row level security;

comment on table settings.deployment is
'Which environment this database belongs to, written by the first deploy or worker that names one.';

create type public.setting as (
  name text,
  type public.setting_type,
  value text,
  lowest bigint,
  highest bigint,
  needs_approval boolean,
  description text
);
comment on type public.setting is 'A setting, its value, its bounds, and whether a change needs a second admin.';

create type public.setting_change as (
  change_id uuid,
  name text,
  old_value text,
  new_value text,
  state public.setting_change_state,
  reason text,
  proposed_by uuid,
  proposed_at timestamptz,
  expires_at timestamptz,
  decided_by uuid,
  decided_at timestamptz
);
comment on type public.setting_change is 'A change of a setting, and what became of it.';

insert into limits.rules (door, scope, burst, period)
values
('list_settings', 'user', 120, '10 minutes'),
('list_settings', 'ip', 600, '10 minutes'),
('list_setting_changes', 'user', 120, '10 minutes'),
('list_setting_changes', 'ip', 600, '10 minutes'),
('change_setting', 'user', 60, '10 minutes'),
('change_setting', 'ip', 600, '10 minutes'),
('approve_setting_change', 'user', 60, '10 minutes'),
('approve_setting_change', 'ip', 600, '10 minutes'),
('reject_setting_change', 'user', 60, '10 minutes'),
('reject_setting_change', 'ip', 600, '10 minutes');
