-- Which currencies exist is the ledger's business; no client reads the table.

revoke all on ledger.currencies from public, anon, authenticated, service_role;
