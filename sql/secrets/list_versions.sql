-- Every version of every secret, newest first by name, without its value.
--
-- is_active says whether it would be handed out: not retired, and its value still there.
-- Callers: operators, as the owner.

create or replace function secrets.list_versions()
returns table (
  id bigint,
  name text,
  kept_in text,
  is_active boolean,
  created_at timestamptz,
  retired_at timestamptz
)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_known uuid[] := '{}'::uuid[];
begin
  if to_regclass('vault.secrets') is not null then
    execute 'select coalesce(array_agg(s.id), ''{}'') from vault.secrets as s' into v_known;
  end if;

  return query
  select
    v.id,
    v.name,
    case when v.vault_id is null then 'table' else 'vault' end,
    v.retired_at is null and (
      v.vault_id = any (v_known)
      or exists (select from secrets.stored_values as s where s.version_id = v.id)
    ),
    v.created_at,
    v.retired_at
  from secrets.versions as v
  order by v.name, v.id desc;
end;
$$;

comment on function secrets.list_versions() is
'Versions of secrets and where they are kept, without values.';

revoke all on function secrets.list_versions() from public, anon, authenticated, service_role;
