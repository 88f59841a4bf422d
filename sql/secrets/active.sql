-- The active values of a secret, newest first; no rows when it has none.
--
-- Sign with the first, accept any: so a secret is changed without refusing a request. Fails where
-- no provider is switched on. Callers: rules, as the owner; nobody over the API.

create or replace function secrets.active(p_name text)
returns setof text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_provider text := secrets.require_provider();
begin
  if v_provider = 'vault' then
    return query execute
      $sql$
      select coalesce(d.decrypted_secret, s.value)
      from secrets.versions as v
      left join vault.decrypted_secrets as d on d.id = v.vault_id
      left join secrets.stored_values as s on s.version_id = v.id
      where v.name = $1
        and v.retired_at is null
        and coalesce(d.decrypted_secret, s.value) is not null
      order by v.id desc
      $sql$
    using p_name;
  else
    return query
    select s.value
    from secrets.versions as v
    inner join secrets.stored_values as s on s.version_id = v.id
    where v.name = p_name
      and v.retired_at is null
    order by v.id desc;
  end if;
end;
$$;

comment on function secrets.active(text) is
'The active values of a secret, newest first.';

revoke all on function secrets.active(text) from public, anon, authenticated, service_role;
