-- The provider, or a failure that says what to do: there is none before an operator chose one.
--
-- Callers: the rules of this domain.

create or replace function secrets.require_provider()
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_provider text := secrets.provider();
begin
  if v_provider = 'none' then
    raise internal_error using
      message = 'this database has no place for secrets: Supabase Vault is not installed and no provider is switched on',
      hint = 'Run hub secrets provider table to keep them in a table that only the owner reads.';
  end if;

  return v_provider;
end;
$$;

comment on function secrets.require_provider() is 'The provider of secrets; fails where there is none.';

revoke all on function secrets.require_provider() from public, anon, authenticated, service_role;
