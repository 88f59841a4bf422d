"""hub bundle: replayed by psql or by the Supabase CLI, it gives the database that deploy gives."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner

from procrastinate_app.cli import app
from procrastinate_app.deploy import bundle as bundles
from procrastinate_app.deploy.bundle import BundleRefused, bundle, replay_order
from procrastinate_app.deploy.dump import dump
from procrastinate_app.deploy.history import SETUP
from procrastinate_app.deploy.lock import KEY
from procrastinate_app.deploy.queue import package_migrations
from procrastinate_app.deploy.tree import read_tree
from procrastinate_app.local import hosted, postgres
from procrastinate_app.project import PROJECT_ROOT
from tests.deploy import replay
from tests.deploy.project import ADD_STOCK, GOODS_POLICY, Project

Replay = Callable[..., object]
Connection = psycopg.Connection[tuple[Any, ...]]

# the first and the last one, and some between
_ALL = [migration.version for migration in read_tree(PROJECT_ROOT).migrations]
VERSIONS = sorted({*_ALL[:: 1 + len(_ALL) // 8], _ALL[-1]})
NUMBER = itertools.count()
has_cli = pytest.mark.skipif(not replay.CLI.exists(), reason="no Supabase CLI for this machine")
BOTH_WAYS = [
    pytest.param(replay.by_psql, id="psql"),
    pytest.param(replay.by_cli, id="supabase db push", marks=has_cli),
]


class Platform:
    """A server that looks like hosted Supabase, and projects on it."""

    def __init__(self, server: postgres.Server) -> None:
        self.server = server
        with psycopg.connect(server.url(), autocommit=True) as conn:
            conn.execute("create database project")
        hosted.prepare(server.url("project"))

    def project(self) -> str:
        """The name of a new database."""
        name = f"project_{next(NUMBER)}"
        with psycopg.connect(self.server.url(), autocommit=True) as conn:
            conn.execute(f"create database {name} template project strategy file_copy")
        return name

    def url(self, name: str) -> str:
        return self.server.url(name)

    def connect(self, name: str) -> Connection:
        return psycopg.connect(self.url(name), autocommit=True)


@pytest.fixture(scope="module")
def platform() -> Iterator[Platform]:
    with hosted.start() as server:
        yield Platform(server)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "supabase" / "migrations"


def copy_of(tree: Project, root: Path, *, until: str | None = None) -> Project:
    """The tree, or what it was when `until` was its newest migration and it had no code yet."""
    for room in ("migrations", "sql", "policies"):
        if until is None or room == "migrations":
            shutil.copytree(tree.root / room, root / room)
        else:
            (root / room).mkdir()
    for path in (root / "migrations").glob("*.sql"):
        if until is not None and path.name[:14] > until:
            path.unlink()
    return Project(root)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project's own tree as it is now, so that an edit meanwhile does not come between."""
    return copy_of(Project(PROJECT_ROOT), tmp_path_factory.mktemp("tree") / "now")


def both_dumps(server: postgres.Server, name: str) -> tuple[str, str]:
    """Ours, and procrastinate's."""
    return dump(server, name), dump(server, name, schemas=("procrastinate",))


@pytest.fixture(scope="module")
def deployed(tree: Project, platform: Platform) -> tuple[str, str]:
    """The dumps after a fresh deploy of the tree."""
    name = platform.project()
    tree.deploy(platform.url(name))
    return both_dumps(platform.server, name)


# -- the same database -----------------------------------------------------------------------


@pytest.mark.parametrize("apply", BOTH_WAYS)
def test_a_replay_gives_the_dump_of_a_deploy_and_leaves_it_nothing_to_do(
    apply: Replay,
    tree: Project,
    platform: Platform,
    deployed: tuple[str, str],
    folder: Path,
) -> None:
    name = platform.project()
    bundle(folder, root=tree.root)

    apply(platform.server, name, folder)

    assert both_dumps(platform.server, name) == deployed
    lines: list[str] = []
    assert not tree.deploy(platform.url(name), report=lines.append).changed
    assert lines == []


@pytest.mark.parametrize("version", VERSIONS)
def test_an_upgrade_from_each_earlier_bundle_gives_the_dump_of_a_fresh_deploy(
    version: str,
    tree: Project,
    platform: Platform,
    deployed: tuple[str, str],
    folder: Path,
    tmp_path: Path,
) -> None:
    older = copy_of(tree, tmp_path / "older", until=version)
    name = platform.project()
    bundle(folder, root=older.root)
    replay.by_psql(platform.server, name, folder)

    added = bundle(folder, root=tree.root)
    replay.by_psql(platform.server, name, folder, added)

    assert both_dumps(platform.server, name) == deployed
    assert not tree.deploy(platform.url(name)).changed


def older_code(tree: Project, root: Path) -> Project:
    """A tree whose code was otherwise: bodies, grants, policies, a file since removed."""
    older = copy_of(tree, root)
    older.change("sql/app/now.sql", "as $$", "as $$\n  -- another body\n")
    older.change(
        "policies/consensus/votes.sql",
        "drop policy if exists select_own on public.votes;",
        "drop policy if exists select_all on public.votes;\n"
        "create policy select_all on public.votes for select to authenticated using (true);\n"
        "grant insert on public.votes to service_role;\n\n"
        "drop policy if exists select_own on public.votes;",
    )
    older.write(
        "sql/clips/oldest_clip.sql",
        "create or replace function clips.oldest_clip() returns uuid language sql stable\n"
        "set search_path = pg_catalog, pg_temp\n"
        "as $$ select null::uuid $$;\n",
    )
    return older


@pytest.mark.parametrize("apply", BOTH_WAYS)
def test_an_upgrade_from_older_code_ends_where_a_deploy_from_it_ends(
    apply: Replay, tree: Project, platform: Platform, folder: Path, tmp_path: Path
) -> None:
    """Deploy leaves an object that no file names any more, and so does the bundle."""
    older = older_code(tree, tmp_path / "older")
    bundled, by_deploy = platform.project(), platform.project()
    older.deploy(platform.url(by_deploy))
    tree.deploy(platform.url(by_deploy))
    bundle(folder, root=older.root)
    apply(platform.server, bundled, folder)

    added = bundle(folder, root=tree.root)
    apply(platform.server, bundled, folder, added)

    assert [name[15:26] for name in added] == ["apply_code_"]
    assert both_dumps(platform.server, bundled) == both_dumps(platform.server, by_deploy)
    lines: list[str] = []
    assert not tree.deploy(platform.url(bundled), report=lines.append).changed
    assert lines == []
    with platform.connect(bundled) as conn:
        assert policies(conn, "public.votes").keys() == {"select_own"}


@pytest.mark.parametrize("apply", BOTH_WAYS)
def test_both_bundles_replayed_at_once_end_like_the_upgrade(
    apply: Replay, tree: Project, platform: Platform, folder: Path, tmp_path: Path
) -> None:
    older = older_code(tree, tmp_path / "older")
    at_once, upgraded = platform.project(), platform.project()
    first = bundle(folder, root=older.root)
    replay.by_psql(platform.server, upgraded, folder, first)
    second = bundle(folder, root=tree.root)
    replay.by_psql(platform.server, upgraded, folder, second)

    apply(platform.server, at_once, folder)

    assert both_dumps(platform.server, at_once) == both_dumps(platform.server, upgraded)


def test_old_projects_default_grants_give_the_same_dump_as_a_deploy(
    tree: Project, platform: Platform, folder: Path
) -> None:
    bundled, by_deploy = platform.project(), platform.project()
    for name in (bundled, by_deploy):
        hosted.give_old_grants(platform.url(name))
    tree.deploy(platform.url(by_deploy))
    bundle(folder, root=tree.root)

    replay.by_psql(platform.server, bundled, folder)

    assert both_dumps(platform.server, bundled) == both_dumps(platform.server, by_deploy)


@has_cli
def test_a_push_after_a_deploy_applies_nothing_again(
    tree: Project, platform: Platform, deployed: tuple[str, str], folder: Path
) -> None:
    """Files that deploy has no version for are still to be written into the history."""
    name = platform.project()
    tree.deploy(platform.url(name))
    before = applied(platform, name)
    bundle(folder, root=tree.root)

    replay.push(platform.server, name, folder, "--include-all")

    assert applied(platform, name) == before
    assert both_dumps(platform.server, name) == deployed
    assert not tree.deploy(platform.url(name)).changed
    assert "up to date" in replay.push(platform.server, name, folder)


@has_cli
def test_a_push_after_psql_applies_nothing_again(
    shop: Project, platform: Platform, folder: Path
) -> None:
    name = platform.project()
    bundle(folder, root=shop.root)
    replay.by_psql(platform.server, name, folder)
    before = applied(platform, name)

    replay.push(platform.server, name, folder)

    assert applied(platform, name) == before


def applied(platform: Platform, name: str) -> list[tuple[Any, ...]]:
    with platform.connect(name) as conn:
        return conn.execute("select * from deploy.files order by path").fetchall()


def policies(conn: Connection, table: str) -> dict[str, int]:
    rows = conn.execute(
        "select polname::text, oid from pg_policy where polrelid = %s::regclass", [table]
    )
    return {str(name): int(oid) for name, oid in rows}


# -- what an upgrade touches -----------------------------------------------------------------


def test_policies_and_triggers_that_did_not_change_are_left_alone(
    shop: Project, platform: Platform, folder: Path
) -> None:
    """On hosted, a policy's statement locks the tables of auth, storage and realtime."""
    name = platform.project()
    bundle(folder, root=shop.root)
    replay.by_psql(platform.server, name, folder)
    with platform.connect(name) as conn:
        before = policies(conn, "public.goods")
        shop.change("sql/shop/discounted.sql", "9 / 10", "8 / 10")

        replay.by_psql(platform.server, name, folder, bundle(folder, root=shop.root))

        assert policies(conn, "public.goods") == before
        assert conn.execute("select shop.discounted(100)").fetchone() == (80,)


def test_what_a_migration_drops_by_cascade_is_applied_again(
    shop: Project, platform: Platform, folder: Path
) -> None:
    bundled, by_deploy = platform.project(), platform.project()
    shop.deploy(platform.url(by_deploy))
    bundle(folder, root=shop.root)
    replay.by_psql(platform.server, bundled, folder)
    shop.write("migrations/20260104000000_drop_shop_bargains.sql", "drop view bargains cascade;")

    replay.by_psql(platform.server, bundled, folder, bundle(folder, root=shop.root))
    shop.deploy(platform.url(by_deploy))

    assert both_dumps(platform.server, bundled) == both_dumps(platform.server, by_deploy)
    assert not shop.deploy(platform.url(bundled)).changed


def test_a_policy_that_its_file_no_longer_names_is_dropped(
    shop: Project, platform: Platform, folder: Path
) -> None:
    name = platform.project()
    bundle(folder, root=shop.root)
    replay.by_psql(platform.server, name, folder)
    start = GOODS_POLICY.index("drop policy if exists insert_own")
    end = GOODS_POLICY.index("revoke all")
    shop.write("policies/shop/goods.sql", GOODS_POLICY[:start] + GOODS_POLICY[end:])

    replay.by_psql(platform.server, name, folder, bundle(folder, root=shop.root))

    with platform.connect(name) as conn:
        assert policies(conn, "public.goods").keys() == {"select_all"}


def test_a_changed_signature_without_a_migration_stops_the_replay(
    shop: Project, platform: Platform, folder: Path
) -> None:
    name = platform.project()
    bundle(folder, root=shop.root)
    replay.by_psql(platform.server, name, folder)
    for was, becomes in (("p_price bigint)", "p_price numeric)"), ("(bigint)", "(numeric)")):
        shop.change("sql/shop/discounted.sql", was, becomes)
    before = applied(platform, name)
    added = bundle(folder, root=shop.root)

    with pytest.raises(replay.ReplayFailed, match=r"more than one signature: shop\.discounted"):
        replay.by_psql(platform.server, name, folder, added)

    assert applied(platform, name) == before


def test_a_database_that_deploy_took_further_is_not_taken_back(
    shop: Project, platform: Platform, folder: Path
) -> None:
    name = platform.project()
    bundle(folder, root=shop.root)
    shop.write("migrations/20260104000000_note_shop_stock.sql", "comment on column "
               "public.goods.stock is 'Pieces.';")  # fmt: skip
    shop.change("sql/shop/discounted.sql", "9 / 10", "8 / 10")
    shop.deploy(platform.url(name))
    snapshot = [path.name for path, _ in replay_order(folder)][-1]

    replay.by_psql(platform.server, name, folder, [snapshot])

    assert not shop.deploy(platform.url(name)).changed


def test_a_snapshot_gives_way_to_a_deploy_at_work(
    shop: Project, platform: Platform, folder: Path
) -> None:
    name = platform.project()
    bundle(folder, root=shop.root)
    with platform.connect(name) as conn:
        conn.execute("select pg_advisory_lock(%s, %s)", KEY)

        with pytest.raises(replay.ReplayFailed, match="hub deploy is at work"):
            replay.by_psql(platform.server, name, folder)


@pytest.mark.parametrize("apply", BOTH_WAYS)
def test_a_statement_that_no_transaction_allows_stays_alone(
    apply: Replay, shop: Project, platform: Platform, folder: Path
) -> None:
    name = platform.project()
    bundle(folder, root=shop.root)
    path = folder / "20260103000000_index_shop_price.sql"
    assert path.read_text() == (shop.root / "migrations" / path.name).read_text()
    assert [p.name for p, in_transaction in replay_order(folder) if not in_transaction] == [
        path.name
    ]

    apply(platform.server, name, folder)

    with platform.connect(name) as conn:
        valid = conn.execute(
            "select indisvalid from pg_index where indexrelid = 'public.goods_price_idx'::regclass"
        ).fetchone()
    assert valid == (True,)


@pytest.mark.parametrize("apply", BOTH_WAYS)
def test_the_queue_is_upgraded_by_its_own_files(
    apply: Replay,
    shop: Project,
    platform: Platform,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A database and a bundle of the time of procrastinate 3.2, then a bundle of today."""
    past = [path for path in package_migrations() if path.name < "03.03"]
    with monkeypatch.context() as then:
        then.setattr(bundles, "package_migrations", lambda: past)
        then.setattr(bundles, "version", lambda package: "3.2.0")
        bundle(folder, root=shop.root)
    name, fresh = platform.project(), platform.project()
    with platform.connect(name) as conn:
        conn.execute(SETUP.encode())
        conn.execute("create schema procrastinate; set search_path = procrastinate")
        for path in past:
            conn.execute(path.read_bytes())
        conn.execute(
            "insert into deploy.queue (version, migration) values ('3.2.0', %s)", [past[-1].name]
        )
    apply(platform.server, name, folder)

    shop.write("migrations/20260104000000_drop_shop_price.sql", "drop index goods_price_idx;")
    added = bundle(folder, root=shop.root)
    apply(platform.server, name, folder, added)

    upgrades = [file for file in added if "upgrade_procrastinate" in file]
    assert len(upgrades) == len(package_migrations()) - len(past)
    assert added == [*upgrades, "20260104000000_drop_shop_price.sql", added[-1]]
    assert not shop.deploy(platform.url(name)).changed
    shop.deploy(platform.url(fresh))
    assert dump(platform.server, name) == dump(platform.server, fresh)
    assert queue_functions(platform, name) == queue_functions(platform, fresh)


def queue_functions(platform: Platform, name: str) -> list[tuple[Any, ...]]:
    with platform.connect(name) as conn:
        return conn.execute(
            "select p.oid::regprocedure::text, p.proconfig, p.proacl::text from pg_proc as p"
            " where p.pronamespace = 'procrastinate'::regnamespace order by 1"
        ).fetchall()


# -- the folder ------------------------------------------------------------------------------


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_same_tree_gives_the_same_bytes(tree: Project, tmp_path: Path) -> None:
    copy = copy_of(tree, tmp_path / "copy")

    bundle(tmp_path / "one", root=tree.root)
    bundle(tmp_path / "two", root=copy.root)

    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_a_second_run_adds_nothing_and_a_later_release_only_what_is_new(
    shop: Project, folder: Path
) -> None:
    first = bundle(folder, root=shop.root)
    assert bundle(folder, root=shop.root) == []
    before = contents(folder)
    shop.change("sql/shop/discounted.sql", "9 / 10", "8 / 10")
    shop.write("migrations/20260104000000_add_shop_more.sql", ADD_STOCK.replace("stock", "more"))

    added = bundle(folder, root=shop.root)

    assert [name[15:25] for name in added] == ["add_shop_m", "apply_code"]
    assert min(added) > max(first)
    after = contents(folder)
    assert {name: after[name] for name in first} == before
    assert bundle(folder, root=shop.root) == []


def test_code_that_went_back_is_a_new_version_too(shop: Project, folder: Path) -> None:
    [*_, first] = bundle(folder, root=shop.root)
    shop.change("sql/shop/discounted.sql", "9 / 10", "8 / 10")
    [second] = bundle(folder, root=shop.root)
    shop.change("sql/shop/discounted.sql", "8 / 10", "9 / 10")
    [third] = bundle(folder, root=shop.root)

    assert first[:14] < second[:14] < third[:14]
    assert first[14:] == third[14:]


def test_order_is_queue_then_migrations_then_code(shop: Project, folder: Path) -> None:
    names = bundle(folder, root=shop.root)

    assert names[0] == "20251231235959_install_procrastinate.sql"
    assert names[1:-1] == sorted(path.name for path in (shop.root / "migrations").iterdir())
    assert names[-1].startswith("20260103000001_apply_code_")


def test_a_version_need_not_be_a_time(shop: Project, folder: Path) -> None:
    shop.write("migrations/20260104009000_add_shop_more.sql", "select 1;")

    names = bundle(folder, root=shop.root)

    assert names[-1].startswith("20260104009001_apply_code_")


def test_a_bundle_that_was_cut_off_is_completed(shop: Project, folder: Path) -> None:
    names = bundle(folder, root=shop.root)
    whole = contents(folder)
    for name in names[2:]:
        (folder / name).unlink()

    assert bundle(folder, root=shop.root) == names[2:]
    assert contents(folder) == whole


def test_migrations_of_the_app_around_us_are_left_alone(shop: Project, folder: Path) -> None:
    folder.mkdir(parents=True)
    foreign = folder / "20250101000000_create_app.sql"
    foreign.write_text("create table public.app ();")

    bundle(folder, root=shop.root)

    assert foreign.read_text() == "create table public.app ();"
    assert bundle(folder, root=shop.root) == []


def edited_snapshot(shop: Project, folder: Path) -> None:
    path = max(folder.iterdir())
    path.write_text(path.read_text().replace("9 / 10", "1 / 10"))


def renamed_snapshot(shop: Project, folder: Path) -> None:
    path = max(folder.iterdir())
    path.rename(path.with_name("20260103000002_our_code.sql"))


def edited_migration(shop: Project, folder: Path) -> None:
    path = folder / "20260102000000_add_shop_stock.sql"
    path.write_text(path.read_text() + "\n-- a note\n")


def edited_tree(shop: Project, folder: Path) -> None:
    shop.change("migrations/20260102000000_add_shop_stock.sql", "0;", "1;")
    (folder / "20260102000000_add_shop_stock.sql").unlink()


def older_tree(shop: Project, folder: Path) -> None:
    shop.remove("migrations/20260103000000_index_shop_price.sql")


def late_migration(shop: Project, folder: Path) -> None:
    shop.write("migrations/20260102120000_add_shop_late.sql", "select 1;")


def taken_version(shop: Project, folder: Path) -> None:
    shop.write("migrations/20260104000000_add_shop_more.sql", "select 1;")
    (folder / "20260104000000_create_app.sql").write_text("select 1;")


def newer_queue(shop: Project, folder: Path) -> None:
    path = min(folder.iterdir())
    _, _, rest = path.read_text().partition("\n")
    newest = package_migrations()[-1].name
    assert newest in rest
    rest = rest.replace(f"-- newest: {newest}", "-- newest: 99.00.00_01_pre_future.sql")
    path.write_text(bundles.SEAL + bundles.digest_of(rest) + "\n" + rest)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (edited_snapshot, r"_apply_code_\w+\.sql was edited or renamed since"),
        (renamed_snapshot, r"_our_code\.sql was edited or renamed since"),
        (edited_migration, r"add_shop_stock\.sql differs from migrations/"),
        (edited_tree, r"add_shop_stock\.sql was edited after it was released"),
        (older_tree, r"made from a newer tree: it holds 20260103000000_index_shop_price\.sql"),
        (late_migration, r"add_shop_late\.sql is older than 20260103000001"),
        (taken_version, r"create_app\.sql has the version that 20260104000000_add_shop_more"),
        (newer_queue, r"has procrastinate up to 99\.00\.00_01_pre_future\.sql"),
    ],
)
def test_a_folder_that_is_not_as_it_was_left_is_refused_and_not_touched(
    spoil: Callable[[Project, Path], None], says: str, shop: Project, folder: Path
) -> None:
    bundle(folder, root=shop.root)
    spoil(shop, folder)
    shop.change("sql/shop/sell.sql", "Sell one;", "Sell one of them;")
    before = contents(folder)

    with pytest.raises(BundleRefused, match=says):
        bundle(folder, root=shop.root)

    assert contents(folder) == before


def test_line_ends_of_another_system_are_no_edit(shop: Project, folder: Path) -> None:
    bundle(folder, root=shop.root)
    for path in folder.iterdir():
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))

    assert bundle(folder, root=shop.root) == []


def test_the_command_writes_checks_and_refuses(shop: Project, folder: Path) -> None:
    def hub(*options: str) -> tuple[int, str]:
        given = ["bundle", str(folder), "--root", str(shop.root), *options]
        result = CliRunner().invoke(app, given)
        return result.exit_code, result.output

    code, said = hub("--check")
    assert code == 1
    assert "missing: 20260102000000_add_shop_stock.sql" in said
    assert not folder.exists()
    assert hub()[0] == 0
    assert hub("--check") == (0, f"{folder} is up to date\n")
    edited_snapshot(shop, folder)
    code, said = hub()
    assert code == 1
    assert "was edited or renamed" in said
