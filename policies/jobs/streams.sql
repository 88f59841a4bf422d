-- Who may see the streams: nobody over the API; the worker and operators, as the owner.

revoke all on jobs.streams from public, anon, authenticated, service_role;
