-- Who may see retries: nobody over the API; the worker and operators, as the owner.

revoke all on jobs.outbox_retries from public, anon, authenticated, service_role;
