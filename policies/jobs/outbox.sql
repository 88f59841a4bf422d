-- Who may see the outbox: nobody over the API. Rules append to it as its owner; the worker reads it.

revoke all on jobs.outbox from public, anon, authenticated, service_role;
