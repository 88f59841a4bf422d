-- Who may see leases: nobody over the API; the worker and operators, as the owner.

revoke all on jobs.stream_leases from public, anon, authenticated, service_role;
