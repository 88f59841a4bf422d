-- Who may see the queue's numbers: nobody over the API; operators change them as the owner.

revoke all on jobs.settings from public, anon, authenticated, service_role;
