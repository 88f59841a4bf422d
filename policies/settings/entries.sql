-- Admins read and change settings through their doors; nobody does directly.

revoke all on settings.entries from public, anon, authenticated, service_role;
