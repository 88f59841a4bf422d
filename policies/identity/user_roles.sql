-- Read by the rules (app.has_role, me); granted and revoked through their doors only.

revoke all on identity.user_roles from public, anon, authenticated, service_role;
