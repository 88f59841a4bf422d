-- The features that are on for a person, by name.
--
-- Callers: identity.me.

create or replace function flags.on_for(p_user_id uuid)
returns text[]
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
  select array(
    select f.flag
    from flags.flags as f
    where f.is_on
      and flags.includes(f, p_user_id)
    order by f.flag
  );
$$;

comment on function flags.on_for(uuid) is
'Names of the features that are on for a person.';

revoke all on function flags.on_for(uuid) from public, anon, authenticated, service_role;
