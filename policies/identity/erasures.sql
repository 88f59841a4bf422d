-- Who may see erasures: nobody over the API; erase_my_account and erase_account answer with theirs.

revoke all on identity.erasures from public, anon, authenticated, service_role;
