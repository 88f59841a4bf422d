-- Add a version of a secret; it is active at once, beside the older ones. Returns its id.
--
-- The value shows nowhere: not in the audit row, not in an error. To keep it out of the server's
-- log as well, the caller hands it over by COPY, not as a parameter: see hub secrets set.
-- Callers: operators, as the owner.

create or replace function secrets.put(p_name text, p_value text, p_reason text default null)
returns bigint
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_provider text := secrets.require_provider();
  v_id bigint;
  v_vault_id uuid;
begin
  if p_name is null or p_name !~ '^[a-z][a-z0-9_]{0,62}$' then
    raise internal_error using message = 'a secret''s name is lower case letters, digits and _, at most 63';
  end if;
  if p_value is null or length(p_value) not between 1 and 65536 then
    raise internal_error using message = 'a secret has 1 to 65536 characters';
  end if;

  insert into secrets.versions (name, created_at)
  values (p_name, app.now())
  returning id into v_id;

  if v_provider = 'vault' then
    execute 'select vault.create_secret($1, $2, $3)'
    into v_vault_id
    using p_value, format('hub.%s.%s', p_name, v_id), 'Kept by hub secrets.';

    update secrets.versions as v
    set vault_id = v_vault_id
    where v.id = v_id;
  else
    insert into secrets.stored_values (version_id, value)
    values (v_id, p_value);
  end if;

  perform audit.record(
    'secret_set', 'secret', p_name, p_reason, jsonb_build_object('version', v_id, 'provider', v_provider)
  );
  return v_id;
end;
$$;

comment on function secrets.put(text, text, text) is
'Add an active version of a secret; returns its id.';

revoke all on function secrets.put(text, text, text) from public, anon, authenticated, service_role;
