-- Who may read it: nobody over the API, whatever their role; rules and operators, as the owner.

revoke all on secrets.versions from public, anon, authenticated, service_role;
