-- Feature flags: on or off for all, for a stable share of people, or for a list.

create schema flags;
grant usage on schema flags to authenticated, service_role;

comment on schema flags is 'Feature flags.';

create table flags.flags (
  flag text primary key,
  is_on boolean not null default false,
  percentage numeric(5, 2) not null default 100,
  description text not null default '',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),

  constraint flags_flag_is_a_name check (flag ~ '^[a-z][a-z0-9_]{0,62}$'),
  constraint flags_percentage_is_one check (percentage between 0 and 100),
  constraint flags_description_length check (length(description) <= 500)
);
alter table flags.flags enable row level security;

comment on table flags.flags is 'Features that are not, or not yet, for everybody.';
comment on column flags.flags.is_on is 'The main switch: off is off for everybody, listed or not.';
comment on column flags.flags.percentage is 'While on: share of people who have it; raising it takes it from nobody.';

create table flags.listed_users (
  flag text not null references flags.flags (flag) on delete cascade,
  user_id uuid not null references public.profiles (id) on delete restrict,
  listed_at timestamptz not null default now(),

  constraint listed_users_pkey primary key (flag, user_id)
);
alter table flags.listed_users enable row level security;

create index listed_users_user_id_idx on flags.listed_users (user_id);

comment on table flags.listed_users is 'People who have a feature that is on, whatever its percentage.';

create type public.feature_flag as (
  flag text,
  is_on boolean,
  percentage numeric,
  description text,
  listed_users uuid[],
  updated_at timestamptz
);
comment on type public.feature_flag is 'A feature flag as staff set it.';

insert into limits.rules (door, scope, burst, period)
values
('list_flags', 'user', 120, '10 minutes'),
('list_flags', 'ip', 600, '10 minutes'),
('set_flag', 'user', 120, '10 minutes'),
('set_flag', 'ip', 600, '10 minutes'),
('set_flag_for_user', 'user', 120, '10 minutes'),
('set_flag_for_user', 'ip', 600, '10 minutes');
