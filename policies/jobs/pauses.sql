-- Who may see what is paused: nobody over the API; the worker and operators, as the owner.

revoke all on jobs.pauses from public, anon, authenticated, service_role;
