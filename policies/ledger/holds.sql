-- Only the ledger reads and writes holds; a person sees their sums in public.wallets.

revoke all on ledger.holds from public, anon, authenticated, service_role;
