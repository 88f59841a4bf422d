-- Only the rules of consensus read and write this; no client does.

revoke all on consensus.skips from public, anon, authenticated, service_role;
