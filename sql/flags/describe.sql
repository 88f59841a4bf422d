-- A flag as staff see it.
--
-- Callers: the staff doors of this domain.

create or replace function flags.describe(p_flag flags.flags)
returns public.feature_flag
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select
    p_flag.flag,
    p_flag.is_on,
    p_flag.percentage,
    p_flag.description,
    array(
      select l.user_id
      from flags.listed_users as l
      where l.flag = p_flag.flag
      order by l.user_id
    ),
    p_flag.updated_at;
$$;

comment on function flags.describe(flags.flags) is
'A flag with its listed people.';

revoke all on function flags.describe(flags.flags) from public, anon, authenticated, service_role;
