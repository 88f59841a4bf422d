-- The shape of me(): oneself in one call.

create type public.wallet_balance as (
  currency text,
  posted bigint,
  held bigint,
  available bigint,
  pending bigint
);
comment on type public.wallet_balance is
'One wallet, in minor units: posted, held for going out, available (posted - held), pending to come in.';

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
  created_at timestamptz
);
comment on type public.me is 'The signed-in person: profile, roles and wallets.';
