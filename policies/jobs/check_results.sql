-- Who may see what checks found: nobody over the API; the worker and operators, as the owner.

revoke all on jobs.check_results from public, anon, authenticated, service_role;
