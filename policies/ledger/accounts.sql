-- A person sees their own wallets, through public.wallets. Nobody writes: the
-- ledger's functions do.

drop policy if exists select_own on ledger.accounts;
create policy select_own on ledger.accounts
for select to authenticated
using (owner_id = (select auth.uid()));

revoke all on ledger.accounts from public, anon, authenticated, service_role;
grant select on ledger.accounts to authenticated;
