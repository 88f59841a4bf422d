-- A person sees the entries of their own wallets, through wallet_statement. Nobody
-- writes: ledger.post does.
--
-- Entries name the owner, so the policy costs one comparison a row and no look-up.

drop policy if exists select_own on ledger.entries;
create policy select_own on ledger.entries
for select to authenticated
using (owner_id = (select auth.uid()));

revoke all on ledger.entries from public, anon, authenticated, service_role;
grant select on ledger.entries to authenticated;
