-- Only the ledger reads and writes transfers; a person reads their own entries.

revoke all on ledger.transfers from public, anon, authenticated, service_role;
