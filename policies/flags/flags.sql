-- Read by flags.is_on for everybody's own features, changed through staff doors only.

revoke all on flags.flags from public, anon, authenticated, service_role;
