-- Read and written by the rules (limits.spend, settings.apply) only; no client does.

revoke all on limits.rules from public, anon, authenticated, service_role;
