-- What a hosted project has besides shim.sql, which hosted.py runs before: the login `postgres`
-- without superuser, the platform's own roles and grants, `vault`, and the limits that the
-- platform's libraries (supautils, event triggers) set to `postgres` in schemas of others.
--
-- Run by supabase_admin, once for every database. For tests only.

-- Memberships carry options of their own since Postgres 16.

do $$
declare
  v_role name;
  v_is_16 boolean := current_setting('server_version_num')::integer >= 160000;
begin
  lock table pg_catalog.pg_authid in share row exclusive mode;

  if to_regrole('dashboard_user') is not null then
    return;
  end if;
  create role dashboard_user nologin createdb createrole replication;
  create role pgbouncer login;
  create role supabase_replication_admin login replication;
  create role supabase_etl_admin login replication bypassrls;
  create role supabase_privileged_role nologin;

  foreach v_role in array array[
    'anon', 'authenticated', 'service_role', 'authenticator',
    'pg_monitor', 'pg_read_all_data', 'pg_signal_backend'
  ]
  loop
    execute format('grant %I to postgres with admin option', v_role);
  end loop;
  if v_is_16 then
    grant pg_create_subscription to postgres with admin option;
  end if;
  grant supabase_privileged_role to postgres;
  grant supabase_realtime_admin to postgres;
  grant authenticator to supabase_storage_admin;

  grant set on parameter session_replication_role to postgres;

  alter role anon inherit;
  alter role authenticated inherit;
  alter role service_role inherit;
  alter role postgres set search_path = '$user', public, extensions;
  alter role supabase_admin set search_path = '$user', public, auth, extensions;
  alter role supabase_storage_admin set search_path = storage;
  alter role supabase_read_only_user set default_transaction_read_only = on;
end;
$$;

-- Ours to use, not ours to change.

grant usage on schema extensions to postgres with grant option;
grant usage on schema auth to postgres with grant option;
grant all on all tables in schema auth to postgres, dashboard_user;
grant all on all sequences in schema auth to postgres, dashboard_user;
grant all on all routines in schema auth to postgres, dashboard_user;
grant usage on schema storage to postgres with grant option;
grant all on all tables in schema storage to postgres with grant option;
grant all on all routines in schema storage to postgres;
grant usage on schema realtime to postgres with grant option;
grant all on all tables in schema realtime to postgres, dashboard_user;
grant all on all routines in schema realtime to postgres, dashboard_user;
grant create, usage on schema public to postgres;
grant usage on schema public to dashboard_user;

-- vault: names, rights and signatures as hosted has them; the look-alike does not encrypt.

create schema vault;

create table vault.secrets (
  id uuid primary key default gen_random_uuid(),
  name text,
  description text not null default '',
  secret text not null,
  key_id uuid,
  nonce bytea,
  created_at timestamptz not null default current_timestamp,
  updated_at timestamptz not null default current_timestamp
);

create unique index secrets_name_idx
on vault.secrets (name)
where name is not null;

create view vault.decrypted_secrets
as
select s.id, s.name, s.description, s.secret, s.secret as decrypted_secret,
  s.key_id, s.nonce, s.created_at, s.updated_at
from vault.secrets as s;

create function vault.create_secret(
  new_secret text,
  new_name text default null,
  new_description text default '',
  new_key_id uuid default null
)
returns uuid
language sql
security definer
set search_path = ''
as $$
  insert into vault.secrets (secret, name, description, key_id)
  values (create_secret.new_secret, create_secret.new_name, create_secret.new_description,
    create_secret.new_key_id)
  returning id;
$$;

create function vault.update_secret(
  secret_id uuid,
  new_secret text default null,
  new_name text default null,
  new_description text default null,
  new_key_id uuid default null
)
returns void
language sql
security definer
set search_path = ''
as $$
  update vault.secrets as s
  set secret = coalesce(update_secret.new_secret, s.secret),
    name = coalesce(update_secret.new_name, s.name),
    description = coalesce(update_secret.new_description, s.description),
    key_id = coalesce(update_secret.new_key_id, s.key_id),
    updated_at = now()
  where s.id = update_secret.secret_id;
$$;

revoke all on function vault.create_secret(text, text, text, uuid) from public;
revoke all on function vault.update_secret(uuid, text, text, text, uuid) from public;
grant usage on schema vault to postgres with grant option;
grant usage on schema vault to service_role;
grant select, references, delete, truncate on vault.secrets, vault.decrypted_secrets
to postgres with grant option;
grant select, delete on vault.secrets, vault.decrypted_secrets to service_role;
grant execute on function vault.create_secret(text, text, text, uuid) to postgres, service_role;
grant execute on function vault.update_secret(uuid, text, text, text, uuid)
to postgres, service_role;

create schema pgbouncer authorization pgbouncer;

create publication supabase_realtime;
alter publication supabase_realtime owner to postgres;

-- The platform lets `postgres` manage policies on realtime.messages, and nothing else there.
-- Membership in the owner's role would let it do everything, so the rest is refused here.
-- Dropping triggers is allowed on some projects and not on others: here it is not.

create function extensions.hosted_guards_made()
returns event_trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_made record;
begin
  if current_user <> 'postgres' then
    return;
  end if;
  for v_made in
    select c.command_tag, c.object_identity
    from pg_event_trigger_ddl_commands() as c
    where c.command_tag not in (
      'CREATE POLICY', 'ALTER POLICY', 'CREATE TRIGGER', 'GRANT', 'REVOKE'
    )
    and (
      c.schema_name in ('auth', 'storage', 'realtime', 'vault', 'extensions')
      or c.object_identity ~ '(^| on )(auth|storage|realtime|vault|extensions)\.'
    )
    and c.object_type <> 'extension'
    and not c.in_extension
  loop
    raise exception 'hosted: postgres may not % %', lower(v_made.command_tag), v_made.object_identity
    using errcode = '42501';
  end loop;
end;
$$;

create function extensions.hosted_guards_dropped()
returns event_trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_dropped record;
begin
  if current_user <> 'postgres' then
    return;
  end if;
  for v_dropped in
    select d.object_type, d.object_identity
    from pg_event_trigger_dropped_objects() as d
    where d.original
    and d.object_type <> 'policy'
    and (
      d.schema_name in ('auth', 'storage', 'realtime', 'vault')
      or d.object_identity ~ ' on (auth|storage|realtime|vault)\.'
    )
  loop
    raise exception 'hosted: postgres may not drop % %',
      v_dropped.object_type, v_dropped.object_identity
    using errcode = '42501';
  end loop;
end;
$$;

create function extensions.pgrst_ddl_watch()
returns event_trigger
language plpgsql
as $$
begin
  if exists (
    select
    from pg_event_trigger_ddl_commands() as c
    where coalesce(c.schema_name, '') not in ('pg_temp', 'auth', 'realtime', 'storage')
    and c.command_tag ~ '^(CREATE|ALTER) (SCHEMA|TABLE|VIEW|FUNCTION|TYPE|RULE)|^COMMENT'
  ) then
    notify pgrst, 'reload schema';
  end if;
end;
$$;

create event trigger hosted_guards_made on ddl_command_end
execute function extensions.hosted_guards_made();

create event trigger hosted_guards_dropped on sql_drop
execute function extensions.hosted_guards_dropped();

create event trigger pgrst_ddl_watch on ddl_command_end
execute function extensions.pgrst_ddl_watch();
