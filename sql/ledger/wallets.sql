-- One's own wallets. Runs with the reader's rights: the policy on ledger.accounts
-- shows a person only theirs.

create or replace view public.wallets
with (security_invoker = true)
as
select
  a.currency,
  a.posted,
  a.held,
  a.posted - a.held as available,
  ledger.pending_amount(a.id) as pending,
  a.version,
  a.created_at
from ledger.accounts as a
where a.purpose = 'wallet';

comment on view public.wallets is
'Your wallets, in minor units: posted, held, available (posted - held), pending to come in.';
comment on column public.wallets.available is 'What can be spent: posted - held.';
comment on column public.wallets.pending is 'Promised to come in.';

revoke all on public.wallets from public, anon, authenticated, service_role;
grant select on public.wallets to authenticated;
