-- Read by the rules (app.is_staff, app.require_role, me); granted and revoked through their doors only.

revoke all on identity.user_roles from public, anon, authenticated, service_role;
