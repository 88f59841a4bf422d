-- Whether a feature is on for a person. A flag nobody has made is off.
--
-- The share is drawn from flag and person together: stable for each, and other people for each
-- flag. Listed people have a feature that is on whatever its percentage.
-- Without a person (null), only a flag that is on for all is on.
-- Callers: rules of any domain.

create or replace function flags.is_on(p_flag text, p_user_id uuid default auth.uid())
returns boolean
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(
    (
      select flags.includes(f, p_user_id)
      from flags.flags as f
      where f.flag = p_flag
    ),
    false
  );
$$;

comment on function flags.is_on(text, uuid) is
'Whether a feature is on for a person; the caller unless said otherwise.';

revoke all on function flags.is_on(text, uuid) from public, anon, authenticated, service_role;
