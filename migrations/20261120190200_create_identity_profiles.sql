-- People: what everyone may see of them, what only they may see, and their roles.
--
-- profiles.id is the Supabase Auth user's id without a foreign key: votes, money
-- and audit rows outlive the sign-in (docs/decisions/no-foreign-key-to-auth.md).

create schema identity;
grant usage on schema identity to authenticated, service_role;

comment on schema identity is 'Profiles and roles.';

create type public.app_role as enum (
  'student', 'tutor', 'ambassador', 'moderator', 'admin'
);
comment on type public.app_role is 'What a person may be besides a user.';

create table public.profiles (
  id uuid primary key,
  handle text not null,
  display_name text not null default '',
  avatar_path text,
  bio text not null default '',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),

  constraint profiles_handle_unique unique (handle),
  constraint profiles_handle_is_a_name check (handle ~ '^[a-z0-9_]{3,30}$'),
  constraint profiles_display_name_length check (length(display_name) <= 80),
  constraint profiles_avatar_path_length check (length(avatar_path) <= 400),
  constraint profiles_bio_length check (length(bio) <= 1000)
);
alter table public.profiles enable row level security;

comment on table public.profiles is 'What everyone may see of a person.';
comment on column public.profiles.avatar_path is 'Object path in the avatars bucket.';

create table identity.private_profiles (
  user_id uuid primary key references public.profiles (id) on delete restrict,
  locale text not null default 'en',
  timezone text not null default 'UTC',

  constraint private_profiles_locale_is_bcp47 check (locale ~ '^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$')
);
alter table identity.private_profiles enable row level security;

comment on table identity.private_profiles is 'What only the person sees of themselves: me() shows it.';

create table identity.user_roles (
  user_id uuid not null references public.profiles (id) on delete restrict,
  role public.app_role not null,
  granted_by uuid,
  granted_at timestamptz not null default now(),

  constraint user_roles_pkey primary key (user_id, role)
);
alter table identity.user_roles enable row level security;

create index user_roles_role_idx on identity.user_roles (role, user_id);

comment on table identity.user_roles is
'Roles in force. Read on every check, so that a revoked role ends at once.';
