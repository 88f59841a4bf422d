-- Who may see attempts: nobody over the API; errors can quote a provider. Operators read them as the owner.

revoke all on jobs.attempts from public, anon, authenticated, service_role;
