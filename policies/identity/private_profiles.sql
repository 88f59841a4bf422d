-- Only the person sees these, through me(); no client reads the table.

revoke all on identity.private_profiles from public, anon, authenticated, service_role;
