-- Who may see which request a job comes from: nobody over the API; the worker, as the owner.

revoke all on jobs.contexts from public, anon, authenticated, service_role;
