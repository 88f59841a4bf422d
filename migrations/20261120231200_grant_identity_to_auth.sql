-- Supabase Auth's own login may enter identity, where its hooks are; what it may call there is in
-- each hook's file.

grant usage on schema identity to supabase_auth_admin;
