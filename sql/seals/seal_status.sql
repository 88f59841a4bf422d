-- How far each append-only table is sealed, for staff.
--
-- Callers: moderators and admins. Fails with not_permitted, rate_limited.

create or replace function seals.seal_status()
returns setof public.seal_state
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform app.require_role('moderator', 'admin');
  perform limits.spend('seal_status');

  return query
  select
    c.chain,
    coalesce(b.seal_no, 0),
    encode(b.digest, 'hex'),
    b.sealed_at,
    t.row_count,
    coalesce(extract(epoch from clock_timestamp() - t.oldest_at), 0)::double precision
  from seals.chains as c
  cross join lateral seals.last_batch(c.chain) as b
  cross join lateral seals.tail(c.chain, 10000) as t
  order by c.chain;
end;
$$;

create or replace function public.seal_status()
returns setof public.seal_state
language sql
volatile
set search_path = pg_catalog, pg_temp
as $$
  select *
  from seals.seal_status();
$$;

comment on function seals.seal_status() is
'The rule behind the door public.seal_status.';
comment on function public.seal_status() is
'Staff: how far the append-only tables are sealed, the newest digest, and what waits.';

revoke all on function seals.seal_status() from public, anon, authenticated, service_role;
revoke all on function public.seal_status() from public, anon, authenticated, service_role;
grant execute on function seals.seal_status() to authenticated;
grant execute on function public.seal_status() to authenticated;
