-- What an operator means by a name: a queue, an outbox stream, or both of that name.
--
-- `queue:realtime` and `stream:realtime` mean the one. No row for a name nobody knows.
-- Callers: jobs.pause(), jobs.resume().

create or replace function jobs.find_targets(p_name text)
returns table (
  kind text,
  name text
)
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select
    k.kind,
    k.name
  from (
    select
      'queue' as kind,
      c.queue as name
    from jobs.task_catalog() as c
    union
    select
      'stream',
      s.stream
    from jobs.streams as s
    union
    -- also what a release has taken away since it was paused
    select
      p.kind,
      p.name
    from jobs.pauses as p
  ) as k
  where p_name in (k.name, k.kind || ':' || k.name)
  order by k.kind, k.name;
$$;

comment on function jobs.find_targets(text) is
'The queues and streams a name stands for.';

revoke all on function jobs.find_targets(text) from public, anon, authenticated, service_role;
