-- Stored answers belong to the rules; no client reads or writes them.

revoke all on app.idempotency_keys from public, anon, authenticated, service_role;
