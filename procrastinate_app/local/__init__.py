"""The local stack: embedded Postgres, a stand-in for the Supabase API, provider sandboxes."""
