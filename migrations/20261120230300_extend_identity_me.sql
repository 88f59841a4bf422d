-- me() tells which features are on.
--
-- The functions of the release before go on answering in the shape they were made with, which
-- moves out of the way under another name; new ones take its place in one transaction. Adding
-- the attribute in place would break them until then.

-- squawk-ignore ban-set-schema
alter type public.me set schema identity;
-- squawk-ignore renaming-object
alter type identity.me rename to me_before_flags;
comment on type identity.me_before_flags is 'The shape of me() in the release before flags; nothing uses it any more.';

create type public.me as (
  id uuid,
  handle text,
  display_name text,
  avatar_path text,
  bio text,
  locale text,
  timezone text,
  phone_verified_at timestamptz,
  is_member boolean,
  roles public.app_role[],
  wallets public.wallet_balance[],
  created_at timestamptz,
  flags text[]
);
comment on type public.me is 'The signed-in person: profile, roles, wallets and features that are on.';
