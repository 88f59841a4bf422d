-- Who may see the seals: staff the newest one, through seal_status(); operators all, as the owner.

revoke all on seals.batches from public, anon, authenticated, service_role;
