-- A person sees the entries of their own wallets, through wallet_statement. Nobody
-- writes: ledger.post does.

drop policy if exists select_own on ledger.entries;
create policy select_own on ledger.entries
for select to authenticated
using (
  account_id in (
    select a.id
    from ledger.accounts as a
    where a.owner_id = (select auth.uid())
  )
);

revoke all on ledger.entries from public, anon, authenticated, service_role;
grant select on ledger.entries to authenticated;
