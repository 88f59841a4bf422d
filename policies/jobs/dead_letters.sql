-- Who may see dead letters: nobody over the API; operators redrive them with hub jobs, as the owner.

revoke all on jobs.dead_letters from public, anon, authenticated, service_role;
