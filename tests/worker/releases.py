"""Three releases after this one, that rename a column, as docs/how-to/roll-out.md does.

consensus.skips.created_at becomes skipped_at. Each release is a whole tree, program and SQL.
"""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from procrastinate_app.project import PROJECT_ROOT

EXPAND = """-- skips.created_at gets its better name, in three releases. Both are written now.

alter table consensus.skips add column skipped_at timestamptz;

comment on column consensus.skips.skipped_at is 'When; null in rows not copied yet.';
"""
INDEX = """-- no-transaction

create index concurrently if not exists skips_skipped_at_idx on consensus.skips (skipped_at);
"""
COPY = """-- Give skips of the release before their skipped_at. Callers: the worker.

create or replace function consensus.copy_skipped_at(p_limit integer)
returns integer
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_count integer;
begin
  update consensus.skips as s
  set skipped_at = s.created_at
  where (s.reviewer_id, s.clip_id) in (
    select o.reviewer_id, o.clip_id
    from consensus.skips as o
    where o.skipped_at is null
    limit p_limit
    for update skip locked
  );
  get diagnostics v_count = row_count;
  return v_count;
end;
$$;

comment on function consensus.copy_skipped_at(integer) is 'Copy created_at to skipped_at, a batch.';

revoke all on function consensus.copy_skipped_at(integer)
from public, anon, authenticated, service_role;
"""
TASK = '''

@blueprint.task(
    name="copy_skipped_at", queue="upkeep", priority=10, pass_context=True, retry=AS_SQL_DECIDES
)
async def copy_skipped_at(context: JobContext) -> None:
    """Fill the new column, a transaction per batch."""
    await until_none_left(context, "consensus.copy_skipped_at", 50)
'''
CATALOGUED = """,
    (
      'consensus:copy_skipped_at', 'upkeep', 10, '{}'::text[], 5,
      'Fill skips.skipped_at.'
    );
$$;
"""
CONTRACT = """-- Nobody reads or writes skips.created_at any more.

alter table consensus.skips drop column created_at;
"""
SKIP, CATALOG, TASKS = (
    "sql/consensus/skip_clip.sql",
    "sql/jobs/task_catalog.sql",
    "procrastinate_app/tasks/consensus.py",
)


@dataclass(frozen=True)
class Release:
    """A checkout of it, from which `hub` can be run."""

    root: Path

    def hub(self, *arguments: str) -> tuple[str, ...]:
        """The command line that runs this release's `hub`."""
        return ("env", "-C", str(self.root), sys.executable, "-m", "procrastinate_app", *arguments)

    def next(self, root: Path) -> Release:
        """A copy of it, to be changed."""
        for name in ("procrastinate_app", "migrations", "policies", "sql"):
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(self.root / name, root / name, ignore=ignored)
        return Release(root)

    def write(self, path: str, text: str) -> None:
        assert not (self.root / path).exists()
        (self.root / path).write_text(text)

    def change(self, path: str, old: str, new: str) -> None:
        text = (self.root / path).read_text()
        assert old in text, (path, old)
        (self.root / path).write_text(text.replace(old, new))


def present() -> Release:
    return Release(PROJECT_ROOT)


def expand(before: Release, root: Path) -> Release:
    """Both columns are written; a task copies what is old; a door takes one argument more."""
    release = before.next(root)
    release.write("migrations/29990101000000_add_consensus_skipped_at.sql", EXPAND)
    release.write("migrations/29990101000100_index_consensus_skipped_at.sql", INDEX)
    release.change(
        SKIP, "(reviewer_id, clip_id, created_at)", "(reviewer_id, clip_id, created_at, skipped_at)"
    )
    release.change(SKIP, "p_clip_id, app.now())", "p_clip_id, app.now(), app.now())")
    release.change(
        SKIP,
        "create or replace function public.skip_clip(clip_id uuid)",
        "drop function if exists public.skip_clip(uuid);\n\n"
        "create or replace function public.skip_clip(clip_id uuid, reason text default null)",
    )
    release.change(
        SKIP, "on function public.skip_clip(uuid)", "on function public.skip_clip(uuid, text)"
    )
    release.change(
        "policies/consensus/skips.sql", "revoke", "-- skipped_at is as private.\n\nrevoke"
    )
    release.change("policies/clips/clips.sql", "create policy", "-- as before\ncreate policy")
    release.write("sql/consensus/copy_skipped_at.sql", COPY)
    release.change(CATALOG, ";\n$$;\n", CATALOGUED)
    release.change(
        TASKS, (release.root / TASKS).read_text(), (release.root / TASKS).read_text() + TASK
    )
    return release


def switch(before: Release, root: Path) -> Release:
    """Only the new column is read and written; the old one fills itself and is not looked at."""
    release = before.next(root)
    release.change(SKIP, "clip_id, created_at, skipped_at)", "clip_id, skipped_at)")
    release.change(SKIP, "p_clip_id, app.now(), app.now())", "p_clip_id, app.now())")
    release.change(
        "sql/identity/export_data.sql", "order by s.created_at)", "order by s.skipped_at)"
    )
    (release.root / "sql/consensus/copy_skipped_at.sql").unlink()
    release.change(CATALOG, CATALOGUED, ";\n$$;\n")
    release.change(TASKS, TASK, "")
    return release


def contract(before: Release, root: Path) -> Release:
    """The old column goes."""
    release = before.next(root)
    release.write("migrations/29990301000000_drop_consensus_created_at.sql", CONTRACT)
    return release
