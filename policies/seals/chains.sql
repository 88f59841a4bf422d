-- Who may see which tables are sealed: staff, through seal_status(); operators, as the owner.

revoke all on seals.chains from public, anon, authenticated, service_role;
