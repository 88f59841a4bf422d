-- Nobody but the owner touches the clock; app.now() reads it for everybody.

revoke all on app.clock from public, anon, authenticated, service_role;
