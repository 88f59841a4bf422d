-- End a version of a secret and destroy its value. Audited; retiring it again changes nothing.
--
-- The last active one of a name goes only when p_last says so: what needs it stops working then.
-- Versions of a name are locked in order, so two operators cannot retire the last two at once.
-- Callers: operators, as the owner.

create or replace function secrets.retire(p_id bigint, p_reason text default null, p_last boolean default false)
returns text
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_version secrets.versions;
begin
  perform
  from secrets.versions as v
  where v.name = (select w.name from secrets.versions as w where w.id = p_id)
  order by v.id
  for no key update;

  select * into v_version
  from secrets.versions as v
  where v.id = p_id;

  if not found then
    raise internal_error using message = format('no secret has the id %s', p_id);
  end if;
  if v_version.retired_at is not null then
    return v_version.name;
  end if;
  if not p_last and not exists (
    select
    from secrets.versions as v
    where v.name = v_version.name
      and v.id <> p_id
      and v.retired_at is null
  ) then
    raise internal_error using
      message = format('%s is the last active secret of %s', p_id, v_version.name),
      hint = 'Set a new one first, or say --last.';
  end if;

  if v_version.vault_id is not null and to_regclass('vault.secrets') is not null then
    execute 'delete from vault.secrets as s where s.id = $1' using v_version.vault_id;
  end if;

  delete from secrets.stored_values as s
  where s.version_id = p_id;

  update secrets.versions as v
  set retired_at = app.now()
  where v.id = p_id;

  perform audit.record(
    'secret_retired', 'secret', v_version.name, p_reason, jsonb_build_object('version', p_id)
  );
  return v_version.name;
end;
$$;

comment on function secrets.retire(bigint, text, boolean) is
'End a version of a secret and destroy its value; returns the secret''s name.';

revoke all on function secrets.retire(bigint, text, boolean) from public, anon, authenticated, service_role;
