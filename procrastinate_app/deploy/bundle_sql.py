"""The SQL of a bundle's own files. What they do is what run.py, queue.py and code.py do."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from procrastinate_app.deploy.history import SETUP
from procrastinate_app.deploy.lock import KEY
from procrastinate_app.deploy.queue import ABOUT, CLOSE

_HOLE = re.compile(r"\{(\w+)\}")
FORMAT = "1"  # raised with any change below: snapshots are made again


@dataclass(frozen=True)
class File:
    """A code file; `objects` and `tables` are JSON arrays of addresses."""

    path: str
    digest: str
    objects: str
    tables: str


_MEND = """
  for v_routine in
    select p.oid::regprocedure as signature
    from pg_proc as p
    where p.pronamespace = 'procrastinate'::regnamespace
    and not coalesce(p.proconfig, '{}') @> array['search_path=procrastinate, pg_temp']
  loop
    execute format(
      'alter routine %s set search_path = procrastinate, pg_temp', v_routine.signature
    );
  end loop;
{close}
  insert into deploy.queue (version, migration)
  values ({release}, {newest})
  on conflict (singleton) do update
  set version = excluded.version,
    migration = excluded.migration,
    applied_at = now();
  perform set_config('search_path', v_path, true);
"""

_INSTALL = """
do {tag}
declare
  v_path text := current_setting('search_path');
  v_routine record;
begin
  if to_regclass('procrastinate.procrastinate_jobs') is not null then
    raise notice 'procrastinate is installed already';
    return;
  end if;
  create schema if not exists procrastinate;
  perform set_config('search_path', 'procrastinate', true);
  execute {schema};
  perform set_config('search_path', 'pg_catalog', true);
  {about};
{mend}
end;
{tag};
"""

_UPGRADE = """
do {tag}
declare
  v_path text := current_setting('search_path');
  v_routine record;
begin
  if exists (select from deploy.queue where migration >= {newest}) then
    raise notice 'procrastinate has this change already';
    return;
  end if;
  perform set_config('search_path', 'procrastinate', true);
  execute {schema};
  perform set_config('search_path', 'pg_catalog', true);
{mend}
end;
{tag};
"""

_TABLES = """
create temporary table hub_migrations (path text primary key, digest text not null);
create temporary table hub_files (
  path text primary key,
  digest text not null,
  objects jsonb not null,
  own_tables jsonb not null
);
create temporary table hub_parts (
  position integer primary key,
  path text not null,
  code text not null
);

-- The objects of each file, and where each stands in the catalogue; several for an overload.

create temporary view hub_found as
select f.path, o.kind, o.schema, o.name, o.on_table, c.oid
from hub_files as f
cross join lateral jsonb_to_recordset(f.objects)
  as o (kind text, schema text, name text, on_table text)
left join lateral (
  select p.oid
  from pg_proc as p
  join pg_namespace as n on n.oid = p.pronamespace
  where o.kind = 'function'
  and (n.nspname, p.proname) = (o.schema, o.name)
  union all
  select t.oid
  from pg_trigger as t
  join pg_class as r on r.oid = t.tgrelid
  join pg_namespace as n on n.oid = r.relnamespace
  where o.kind = 'trigger'
  and t.tgparentid = 0
  and (n.nspname, r.relname, t.tgname) = (o.schema, o.on_table, o.name)
  union all
  select l.oid
  from pg_policy as l
  join pg_class as r on r.oid = l.polrelid
  join pg_namespace as n on n.oid = r.relnamespace
  where o.kind = 'policy'
  and (n.nspname, r.relname, l.polname) = (o.schema, o.on_table, o.name)
  union all
  select r.oid
  from pg_class as r
  join pg_namespace as n on n.oid = r.relnamespace
  where o.kind in ('table', 'view')
  and (n.nspname, r.relname) = (o.schema, o.name)
) as c on true;

create temporary view hub_oids as
select path, coalesce(array_agg(distinct oid order by oid) filter (where oid is not null), '{}')
  as oids, bool_or(oid is null) as is_incomplete
from hub_found
group by path;

-- What changed, is missing, or was made again by something else.

create temporary view hub_due as
select f.path
from hub_files as f
join hub_oids as o on o.path = f.path
left join deploy.files as a on a.path = f.path
where a.digest is distinct from f.digest
or a.oids is distinct from o.oids
or o.is_incomplete;
"""

_APPLY = """
do {tag}
declare
  v_due text[];
  v_said text;
  v_part record;
begin
  if not pg_try_advisory_xact_lock({lock}) then
    raise exception 'hub deploy is at work on this database'
    using errcode = 'lock_not_available', hint = 'Try again when it has ended.';
  end if;

  if exists (
    select
    from deploy.files as f
    where f.path like 'migrations/%'
    and f.path > (select max(m.path) from hub_migrations as m)
  ) then
    raise notice 'a newer release is deployed here already: nothing applied';
    return;
  end if;

  select string_agg(m.path, ', ') into v_said
  from hub_migrations as m
  join deploy.files as f on f.path = m.path
  where f.digest <> m.digest;
  if v_said is not null then
    raise exception '% edited after it was deployed here', v_said
    using hint = 'Put back what was released, and write the change as a new migration.';
  end if;

  for v_round in 1..3
  loop
    v_due := array(select d.path from hub_due as d);
    exit when cardinality(v_due) = 0;
    perform set_config('check_function_bodies', 'off', true);
    perform set_config('lock_timeout', '5s', true);

    for v_part in
      select p.path, p.code
      from hub_parts as p
      where p.path = any(v_due)
      order by p.position
    loop
      execute v_part.code;
    end loop;

    for v_part in
      select t.schema, t.name, l.polname, f.path
      from hub_files as f
      cross join lateral jsonb_to_recordset(f.own_tables) as t (schema text, name text)
      join pg_policy as l on l.polrelid = to_regclass(format('%I.%I', t.schema, t.name))
      where f.path = any(v_due)
      and not exists (
        select
        from hub_found as o
        where o.path = f.path
        and (o.kind, o.schema, o.on_table, o.name) = ('policy', t.schema, t.name, l.polname)
      )
    loop
      execute format('drop policy %I on %I.%I', v_part.polname, v_part.schema, v_part.name);
      raise notice '%: dropped policy %, which it no longer names', v_part.path, v_part.polname;
    end loop;

    select string_agg(format('%s.%s', o.schema, o.name), ', ') into v_said
    from (
      select f.schema, f.name
      from hub_found as f
      where f.kind = 'function'
      and f.path = any(v_due)
      group by f.schema, f.name
      having count(f.oid) > 1
    ) as o;
    if v_said is not null then
      raise exception 'more than one signature: %', v_said
      using hint = 'A changed argument needs a migration: drop function if exists <the old one>.';
    end if;

    insert into deploy.files (path, digest, oids, tool)
    select f.path, f.digest, o.oids, 'hub bundle'
    from hub_files as f
    join hub_oids as o on o.path = f.path
    where f.path = any(v_due)
    on conflict (path) do update
    set digest = excluded.digest,
      oids = excluded.oids,
      applied_at = now(),
      tool = excluded.tool;
  end loop;

  select string_agg(d.path, ', ') into v_said
  from hub_due as d;
  if v_said is not null then
    raise exception 'applied and still not as declared: %', v_said;
  end if;

  insert into deploy.files (path, digest, tool)
  select m.path, m.digest, 'hub bundle'
  from hub_migrations as m
  on conflict (path) do nothing;

  delete from deploy.files as f
  where f.path not in (select path from hub_files union all select path from hub_migrations);

  update deploy.queue
  set version = {release}
  where migration = {newest}
  and version <> {release};

  -- psql keeps no history, and the Supabase CLI has written this by itself

  insert into supabase_migrations.schema_migrations (version, name)
  values
{history}
  on conflict (version) do nothing;

  notify pgrst, 'reload schema';
end;
{tag};

drop view pg_temp.hub_due, pg_temp.hub_oids, pg_temp.hub_found;
drop table pg_temp.hub_parts, pg_temp.hub_files, pg_temp.hub_migrations;
"""


def install(schema: str, release: str, newest: str) -> str:
    """procrastinate's whole schema, where there is none yet."""
    return SETUP.strip() + _filled(
        _INSTALL,
        schema=quoted(schema, "schema"),
        about=ABOUT,
        mend=_mend(release, newest),
    )


def upgrade(sql: str, release: str, newest: str) -> str:
    """One migration of procrastinate's, where it was not applied yet."""
    return _filled(
        _UPGRADE,
        schema=quoted(sql, "schema"),
        newest=literal(newest),
        mend=_mend(release, newest),
    )


def _mend(release: str, newest: str) -> str:
    return _filled(_MEND, close=CLOSE, release=literal(release), newest=literal(newest))


def snapshot(
    *,
    files: Iterable[File],
    pieces: Iterable[tuple[str, str]],
    migrations: Iterable[tuple[str, str]],
    history: Iterable[tuple[str, str]],
    release: str,
    newest: str,
) -> str:
    """All code, in an order that works; `pieces` are (path, statements)."""
    said = [SETUP.strip(), _TABLES.strip()]
    said.append(_inserted("hub_migrations", [tuple(map(literal, row)) for row in migrations]))
    said += [
        _inserted(
            "hub_files",
            [
                (
                    literal(file.path),
                    literal(file.digest),
                    literal(file.objects),
                    literal(file.tables),
                )
            ],
        )
        for file in files
    ]
    said += [
        f"insert into pg_temp.hub_parts\nvalues ({at}, {literal(path)}, {quoted(code, 'code')});"
        for at, (path, code) in enumerate(pieces, start=1)
    ]
    lock = ", ".join(map(str, KEY))
    rows = ",\n".join(f"    ({literal(v)}, {literal(name)})" for v, name in history)
    apply = _filled(
        _APPLY, lock=lock, release=literal(release), newest=literal(newest), history=rows
    )
    said.append(apply.strip())
    return "\n\n".join(said)


def _inserted(table: str, rows: list[tuple[str, ...]]) -> str:
    lines = ",\n".join(f"  ({', '.join(row)})" for row in rows)
    return f"insert into pg_temp.{table}\nvalues\n{lines};"


def literal(text: str) -> str:
    """A string constant, with `standard_conforming_strings` on as it always is."""
    return "'" + text.replace("'", "''") + "'"


def quoted(text: str, word: str) -> str:
    """The text in dollar quotes that it does not contain itself."""
    tag, n = f"${word}$", 1
    while tag in text:
        tag, n = f"${word}{n}$", n + 1
    return tag + text + tag


def _filled(template: str, **values: str) -> str:
    """Put the values in. What is put in is not looked at again; the outer quotes avoid it."""
    inner = "".join(values.values())
    tag, n = "$bundle$", 1
    while tag in inner:
        tag, n = f"$bundle{n}$", n + 1
    given = {"tag": tag, **values}
    return _HOLE.sub(lambda hole: given[hole[1]], template)
