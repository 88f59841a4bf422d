-- Where a new secret goes: vault where Supabase Vault is installed, else what the operator chose.
--
-- Callers: the rules of this domain, hub secrets.

create or replace function secrets.provider()
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select case when to_regclass('vault.decrypted_secrets') is not null then 'vault' else s.provider end
  from secrets.settings as s;
$$;

comment on function secrets.provider() is 'vault, table or none: where new secrets are kept.';

revoke all on function secrets.provider() from public, anon, authenticated, service_role;
