-- The books: double entry, integer minor units, append-only entries.
--
-- A transfer names one debited and one credited account and makes exactly two
-- entries of opposite amount; a split is several transfers in one call. A hold is
-- a transfer that waits. Lock order everywhere: holds by id, then accounts by id.

create schema ledger;
grant usage on schema ledger to authenticated, service_role;

comment on schema ledger is 'Accounts, transfers, entries and holds: where money is.';

create table ledger.currencies (
  code text primary key,
  minor_digits smallint not null,

  constraint currencies_code_is_iso4217 check (code ~ '^[A-Z]{3}$'),
  constraint currencies_minor_digits_in_range check (minor_digits between 0 and 4)
);
alter table ledger.currencies enable row level security;

comment on table ledger.currencies is 'Currencies the books know. minor_digits: 2 for cents.';

insert into ledger.currencies (code, minor_digits)
values ('USD', 2), ('NGN', 2), ('GHS', 2), ('KES', 2);

create type ledger.account_purpose as enum (
  'wallet', 'funding', 'reward_pool', 'revenue', 'fees', 'escrow',
  'provider_clearing', 'payouts_in_flight'
);

create table ledger.accounts (
  id bigint generated always as identity primary key,
  purpose ledger.account_purpose not null,
  owner_id uuid references public.profiles (id) on delete restrict,
  currency text not null references ledger.currencies (code) on delete restrict,
  slot smallint not null default 0,
  posted bigint not null default 0,
  held bigint not null default 0,
  floor bigint,
  reversal_debt bigint not null default 0,
  version bigint not null default 0,
  created_at timestamptz not null default now(),

  constraint accounts_currency_key unique (id, currency),
  constraint accounts_wallet_has_owner check ((purpose = 'wallet') = (owner_id is not null)),
  constraint accounts_held_not_negative check (held >= 0),
  constraint accounts_reversal_debt_not_negative check (reversal_debt >= 0),
  constraint accounts_above_floor check (posted - held >= floor - reversal_debt)
) with (fillfactor = 70);
alter table ledger.accounts enable row level security;

create unique index accounts_one_wallet_per_currency
on ledger.accounts (owner_id, currency) where purpose = 'wallet';
create unique index accounts_one_platform_account_per_slot
on ledger.accounts (currency, purpose, slot) where purpose <> 'wallet';

comment on table ledger.accounts is
'A wallet per person and currency, and the platform''s own accounts, the hot ones split into slots.';
comment on column ledger.accounts.posted is 'Sum of the account''s entries, in minor units.';
comment on column ledger.accounts.held is 'Sum of its pending outgoing holds. Available = posted - held.';
comment on column ledger.accounts.floor is 'Least available amount; null when the account has none.';
comment on column ledger.accounts.reversal_debt is
'How far reversals, and only they, have pushed the account below its floor.';
comment on column ledger.accounts.version is 'Number of entries; the newest entry carries it.';

insert into ledger.accounts (purpose, currency, slot, floor)
select
  'reward_pool' as purpose,
  c.code as currency,
  s.slot,
  0 as floor
from ledger.currencies as c
cross join generate_series(0, 15) as s (slot)
order by c.code, s.slot;

insert into ledger.accounts (purpose, currency)
select
  p.purpose,
  c.code as currency
from ledger.currencies as c
cross join (
  values
  ('funding'::ledger.account_purpose), ('revenue'), ('fees'), ('escrow'),
  ('provider_clearing'), ('payouts_in_flight')
) as p (purpose)
order by c.code, p.purpose;

create table ledger.transfers (
  id bigint generated always as identity primary key,
  debit_account_id bigint not null,
  credit_account_id bigint not null,
  currency text not null,
  amount bigint not null,
  cause text not null,
  cause_id uuid,
  hold_id bigint,
  reverses_transfer_id bigint references ledger.transfers (id) on delete restrict,
  event_at timestamptz not null,
  created_at timestamptz not null default now(),

  constraint transfers_debit_in_currency foreign key (debit_account_id, currency)
  references ledger.accounts (id, currency) on delete restrict,
  constraint transfers_credit_in_currency foreign key (credit_account_id, currency)
  references ledger.accounts (id, currency) on delete restrict,
  constraint transfers_amount_positive check (amount > 0),
  constraint transfers_between_two_accounts check (debit_account_id <> credit_account_id),
  constraint transfers_reversed_once unique (reverses_transfer_id),
  constraint transfers_settle_hold_once unique (hold_id),
  constraint transfers_cause_is_a_name check (cause ~ '^[a-z_]+$')
);
alter table ledger.transfers enable row level security;

create index transfers_cause_id_idx on ledger.transfers (cause_id) where cause_id is not null;

comment on table ledger.transfers is
'Append-only: one movement of money between two accounts, and why.';
comment on column ledger.transfers.cause is 'What kind of thing moved the money, e.g. clip_author_reward.';
comment on column ledger.transfers.cause_id is 'Which one: the clip, the payout, the payment.';
comment on column ledger.transfers.event_at is 'When it happened; created_at is when it was booked.';

create table ledger.entries (
  account_id bigint not null references ledger.accounts (id) on delete restrict,
  version bigint not null,
  owner_id uuid,
  transfer_id bigint not null references ledger.transfers (id) on delete restrict,
  amount bigint not null,
  balance_after bigint not null,
  cause text not null,
  cause_id uuid,
  event_at timestamptz not null,
  created_at timestamptz not null default now(),

  constraint entries_pkey primary key (account_id, version),
  constraint entries_amount_nonzero check (amount <> 0)
);
alter table ledger.entries enable row level security;

-- An account has one owner: without this the planner takes a statement page for a single row.

create statistics ledger.entries_account_tells_owner (dependencies) on account_id, owner_id
from ledger.entries;

create unique index entries_one_debit_one_credit
on ledger.entries (transfer_id, (amount > 0));

comment on table ledger.entries is
'Append-only: what each transfer did to each of its two accounts. version numbers an account''s entries without gaps.';
comment on column ledger.entries.owner_id is 'The account''s owner, null for the platform''s: who may read the entry.';
comment on column ledger.entries.cause is 'As in the transfer, so that a statement reads one table.';

create type ledger.hold_state as enum ('pending', 'settled', 'voided', 'expired');

create table ledger.holds (
  id bigint generated always as identity primary key,
  debit_account_id bigint not null,
  credit_account_id bigint not null,
  currency text not null,
  amount bigint not null,
  settled_amount bigint,
  state ledger.hold_state not null default 'pending',
  cause text not null,
  cause_id uuid not null,
  expires_at timestamptz,
  created_at timestamptz not null default now(),
  resolved_at timestamptz,

  constraint holds_debit_in_currency foreign key (debit_account_id, currency)
  references ledger.accounts (id, currency) on delete restrict,
  constraint holds_credit_in_currency foreign key (credit_account_id, currency)
  references ledger.accounts (id, currency) on delete restrict,
  constraint holds_amount_positive check (amount > 0),
  constraint holds_between_two_accounts check (debit_account_id <> credit_account_id),
  constraint holds_settled_within_amount check (settled_amount between 1 and amount),
  constraint holds_settled_amount_iff_settled check ((state = 'settled') = (settled_amount is not null)),
  constraint holds_resolved_at_iff_resolved check ((state = 'pending') = (resolved_at is null)),
  constraint holds_cause_is_a_name check (cause ~ '^[a-z_]+$')
) with (fillfactor = 80);
alter table ledger.holds enable row level security;

alter table ledger.transfers
add constraint transfers_hold_exists foreign key (hold_id) references ledger.holds (id) on delete restrict;

create index holds_cause_id_idx on ledger.holds (cause_id);
create index holds_incoming_idx on ledger.holds (credit_account_id) where state = 'pending';
create index holds_outgoing_idx on ledger.holds (debit_account_id) where state = 'pending';
create index holds_expiry_idx on ledger.holds (expires_at) where state = 'pending' and expires_at is not null;

comment on table ledger.holds is
'Money promised from one account to another: pending, then settled, voided or expired, exactly once.';

create type ledger.posting as (
  debit_account_id bigint,
  credit_account_id bigint,
  amount bigint,
  cause text,
  cause_id uuid,
  event_at timestamptz,
  hold_id bigint,
  reverses_transfer_id bigint
);
comment on type ledger.posting is 'A transfer to be posted: see ledger.post.';

create type ledger.hold_request as (
  debit_account_id bigint,
  credit_account_id bigint,
  amount bigint,
  cause text,
  cause_id uuid,
  expires_at timestamptz
);
comment on type ledger.hold_request is 'A hold to be placed: see ledger.place_holds.';

create type public.statement_line as (
  entry_no bigint,
  amount bigint,
  balance_after bigint,
  currency text,
  cause text,
  cause_id uuid,
  event_at timestamptz,
  created_at timestamptz
);
comment on type public.statement_line is 'One line of a wallet statement, amounts in minor units.';
