-- Stop the clock of every rule at a moment, or with null let it run again.
--
-- For tests: nobody but the owner may call it, and a worker in production refuses to
-- start while the clock stands.

create or replace function app.freeze_clock(p_at timestamptz)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  if p_at is null then
    delete from app.clock as c where c.singleton;
  else
    insert into app.clock (frozen_at)
    values (p_at)
    on conflict (singleton) do update set frozen_at = excluded.frozen_at;
  end if;
end;
$$;

comment on function app.freeze_clock(timestamptz) is
'Tests only: stop app.now() at a moment; null lets it run.';

revoke all on function app.freeze_clock(timestamptz) from public, anon, authenticated, service_role;
