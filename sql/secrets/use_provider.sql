-- Choose where secrets are kept when there is no Supabase Vault: none or table. Audited.
--
-- Callers: operators, as the owner.

create or replace function secrets.use_provider(p_provider text, p_reason text default null)
returns text
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  if p_provider not in ('none', 'table') or p_provider is null then
    raise internal_error using message = 'a provider of secrets is none or table';
  end if;
  if secrets.provider() = 'vault' then
    raise internal_error using message = 'this database has Supabase Vault: secrets go there';
  end if;
  if p_provider = 'none' and exists (
    select from secrets.versions as v where v.retired_at is null and v.vault_id is null
  ) then
    raise internal_error using message = 'there are active secrets in the table: retire them first';
  end if;

  update secrets.settings as s
  set provider = p_provider
  where s.singleton;

  perform audit.record('secret_provider_chosen', 'secrets', p_provider, p_reason);
  return p_provider;
end;
$$;

comment on function secrets.use_provider(text, text) is
'Choose where secrets are kept without Supabase Vault.';

revoke all on function secrets.use_provider(text, text) from public, anon, authenticated, service_role;
