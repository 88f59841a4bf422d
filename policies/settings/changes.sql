-- Admins read changes through list_setting_changes; only the doors write them.

revoke all on settings.changes from public, anon, authenticated, service_role;
