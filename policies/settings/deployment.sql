-- Nobody but the owner reads or writes which environment this is: deploy, worker, operator.

revoke all on settings.deployment from public, anon, authenticated, service_role;
