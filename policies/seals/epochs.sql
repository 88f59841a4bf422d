-- Who may see the epochs: nobody over the API; operators, as the owner.

revoke all on seals.epochs from public, anon, authenticated, service_role;
