-- Whether one flag, as it stands, is on for a person: switch, then share, then list.
--
-- md5 and not a hash function of Postgres, whose results may change with a major version.
-- Callers: flags.is_on, flags.on_for.

create or replace function flags.includes(p_flag flags.flags, p_user_id uuid)
returns boolean
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select p_flag.is_on and (
    p_flag.percentage = 100
    or coalesce(
      ('x' || left(md5(p_flag.flag || ':' || p_user_id), 8))::bit(32)::bigint % 10000 < p_flag.percentage * 100,
      false
    )
    or exists (
      select
      from flags.listed_users as l
      where l.flag = p_flag.flag
        and l.user_id = p_user_id
    )
  );
$$;

comment on function flags.includes(flags.flags, uuid) is
'Whether a flag is on for a person.';

revoke all on function flags.includes(flags.flags, uuid) from public, anon, authenticated, service_role;
