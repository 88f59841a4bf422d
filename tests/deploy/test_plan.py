"""OPS-4: hub plan tells the steps of hub deploy, does none, and knows what a DBA wants to know."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner

from procrastinate_app.cli import app
from procrastinate_app.deploy import DeployRefused, history
from procrastinate_app.deploy.code import ordered
from procrastinate_app.deploy.dump import dump
from procrastinate_app.deploy.lexer import Statement as Parsed
from procrastinate_app.deploy.lexer import statements
from procrastinate_app.deploy.locks import read
from procrastinate_app.deploy.meaning import FUNCTION
from procrastinate_app.deploy.plan import plan
from procrastinate_app.deploy.plan_catalog import Catalog
from procrastinate_app.deploy.plan_model import Plan, Statement
from procrastinate_app.deploy.plan_text import lines
from procrastinate_app.deploy.queue import INSTALLED_FROM
from procrastinate_app.deploy.tree import read_tree
from procrastinate_app.local import postgres
from procrastinate_app.project import PROJECT_ROOT
from tests.deploy.measure import Measured, forget_reads, held, remember, rewritten
from tests.deploy.measure import read as measure_read
from tests.deploy.project import Connection, Project
from tests.deploy.test_plan_locks import compare

RUNNER = CliRunner()
COLOUR = "migrations/20260104000000_add_shop_colour.sql"


def look(shop: Project, url: str) -> Plan:
    """A plan made at once, without watching who uses the tables."""
    return plan(url, root=shop.root, sample=0)


def said(found: Plan) -> str:
    return "\n".join(lines(found))


def every_statement(found: Plan) -> list[Statement]:
    return [one for transaction in found.transactions for one in transaction.statements]


def planned_files(found: Plan) -> list[str]:
    """Migrations and code files in the order in which they would be complete."""
    last: dict[str, int] = {}
    for transaction in found.transactions:
        for file in transaction.files:
            last[file.path] = transaction.number
    kept = [path for path in last if not path.startswith("procrastinate/")]
    return sorted(kept, key=lambda path: (last[path], path))


def fill(conn: Connection, rows: int) -> None:
    conn.execute(
        """
        insert into public.goods (title, price)
        select repeat('x', 200), n from generate_series(1, %s) as n
        """,
        (rows,),
    )
    conn.execute("analyze public.goods")


# it does nothing, and knows all that deploy would do


def test_plan_changes_nothing_and_takes_no_transaction_id(
    shop: Project, server: postgres.Server, new_database: Callable[[], str]
) -> None:
    name = new_database()
    url = server.url(name)
    snapshot = "select pg_snapshot_xmax(pg_current_snapshot())"
    with psycopg.connect(url, autocommit=True) as conn:
        before, dumped = conn.execute(snapshot).fetchone(), dump(server, name)
        look(shop, url)
        assert conn.execute(snapshot).fetchone() == before
        assert dump(server, name) == dumped
        assert conn.execute("select to_regnamespace('deploy')").fetchone() == (None,)

        shop.deploy(url)
        shop.write(COLOUR, "alter table public.goods add column colour text;")
        count = "select (select count(*) from deploy.files), (select count(*) from pg_class)"
        before, rows = conn.execute(snapshot).fetchone(), conn.execute(count).fetchone()
        look(shop, url)
        assert conn.execute(snapshot).fetchone() == before
        assert conn.execute(count).fetchone() == rows


def test_fresh_database_is_told_all_that_deploy_then_does(shop: Project, url: str) -> None:
    found = look(shop, url)

    done = shop.deploy(url)

    assert [t.kind for t in found.transactions[:2]] == ["history", "queue"]
    assert planned_files(found) == sorted(
        [*done.migrations, *done.files], key=planned_files(found).index
    )
    assert {*done.migrations, *done.files} == set(planned_files(found))
    assert found.summary.strongest is None
    assert found.summary.risk == "none"


def test_up_to_date_database_has_nothing_to_do(shop: Project, url: str) -> None:
    shop.deploy(url)

    found = look(shop, url)

    assert found.transactions == ()
    assert said(found).endswith("nothing to do")


def test_changed_missing_and_stray_code_is_told_with_its_reason(
    shop: Project, url: str, conn: Connection
) -> None:
    shop.deploy(url)
    shop.change("sql/shop/discounted.sql", "9 / 10", "8 / 10")
    conn.execute("drop view public.offers cascade")
    conn.execute("create policy stray on public.goods using (false)")
    shop.change("policies/shop/goods.sql", "using (true)", "using (id > 0)")

    found = look(shop, url)

    why = {file.path: file.why for t in found.transactions for file in t.files}
    assert why == {
        "sql/shop/discounted.sql": "changed",
        "sql/shop/offers.sql": "view public.offers was dropped since",
        "sql/shop/best_offer.sql": "function public.best_offer was dropped since",
        "policies/shop/goods.sql": "changed",
    }
    assert "policy stray on public.goods" in found.summary.drops
    assert "stray" in said(found)
    done = shop.deploy(url)
    assert set(done.files) == set(why)
    assert look(shop, url).transactions == ()


def test_code_that_a_pending_migration_drops_is_told(shop: Project, url: str) -> None:
    shop.deploy(url)
    shop.write(
        "migrations/20260104000000_drop_shop_discounted.sql",
        "drop function if exists shop.discounted(bigint) cascade;",
    )

    found = look(shop, url)

    (why,) = [f.why for t in found.transactions for f in t.files if f.path.startswith("sql/")]
    assert why == "a pending migration drops function shop.discounted"
    assert "sql/shop/discounted.sql" in shop.deploy(url).files


def test_file_that_left_the_tree_is_told(shop: Project, url: str) -> None:
    shop.deploy(url)
    shop.remove("policies/shop/sales.sql")

    found = look(shop, url)

    assert found.forgotten == ("policies/shop/sales.sql",)
    assert "policies/shop/sales.sql" in said(found)


def edited(shop: Project) -> None:
    shop.change("migrations/20260102000000_add_shop_stock.sql", "default 0", "default 1")


def older(shop: Project) -> None:
    shop.remove("migrations/20260103000000_index_shop_price.sql")


def late(shop: Project) -> None:
    shop.write("migrations/20260102120000_add_shop_late.sql", "create table shop.late ();")


def misplaced(shop: Project) -> None:
    shop.write("sql/shop/other.sql", "create or replace function shop.x() returns int return 1;")


@pytest.mark.parametrize("contradict", [edited, older, late, misplaced])
def test_plan_refuses_with_the_words_of_deploy(
    contradict: Callable[[Project], None], shop: Project, url: str
) -> None:
    shop.deploy(url)
    contradict(shop)

    with pytest.raises(DeployRefused) as by_plan:
        look(shop, url)
    with pytest.raises(DeployRefused) as by_deploy:
        shop.deploy(url)

    assert str(by_plan.value) == str(by_deploy.value)


def test_until_leaves_later_migrations_and_code_out(shop: Project, url: str) -> None:
    found = plan(url, root=shop.root, until="20260101000000", sample=0)

    assert planned_files(found) == ["migrations/20260101000000_create_shop_goods.sql"]


def test_transactions_are_those_of_deploy(shop: Project, url: str) -> None:
    """One for each migration, one for all functions, one for each view, trigger and policies."""
    found = look(shop, url)

    kinds = [t.kind for t in found.transactions]
    assert kinds[2:5] == ["migration"] * 3
    assert [t.in_transaction for t in found.transactions[2:5]] == [True, True, False]
    code = [(step.kind, len(step.files)) for step in ordered(read_tree(shop.root).code)]
    assert [(t.kind, len(t.files)) for t in found.transactions[5:]] == code


# what it says of a statement


def test_new_table_locks_nobody_and_its_reference_does(shop: Project, url: str) -> None:
    shop.deploy(url)
    shop.write(
        "migrations/20260104000000_create_shop_notes.sql",
        """
        create table shop.notes (id bigint, goods_id bigint references public.goods (id));
        create index notes_goods_id_idx on shop.notes (goods_id);
        """,
    )

    create, index = every_statement(look(shop, url))

    assert [(lock.mode, lock.table) for lock in create.locks] == [
        ("SHARE ROW EXCLUSIVE", "public.goods")
    ]
    assert (create.file, create.line) == ("migrations/20260104000000_create_shop_notes.sql", 2)
    assert index.locks == ()
    assert index.risk == "none"


def test_risk_grows_with_the_table_and_with_its_use(
    shop: Project, url: str, conn: Connection
) -> None:
    """The same statement: on a small table, on a big one, on one that somebody writes."""
    shop.deploy(url)
    shop.write(COLOUR, "create index goods_title_idx on public.goods (title);")

    def risk() -> tuple[str, str]:
        (statement,) = every_statement(look(shop, url))
        return statement.risk, statement.reason

    assert risk()[0] == "low"
    fill(conn, 300_000)
    assert risk()[0] == "low"  # nobody uses it
    with psycopg.connect(url, application_name="seller") as seller:
        seller.execute("insert into public.goods (title, price) values ('y', 1)")
        found, reason = risk()
    assert found == "medium"
    # 15 does not say when a table was read last: a second may pass without
    use = "read now, written now" if conn.info.server_version >= 160000 else "written now"
    assert f"{use})" in reason
    assert "while 92 MB are read in full (" in re.sub(r"\d+ MB", "92 MB", reason)


def test_who_stands_in_the_way_is_named(shop: Project, url: str, conn: Connection) -> None:
    shop.deploy(url)
    shop.write(COLOUR, "alter table public.goods add column colour text;")

    with psycopg.connect(url, application_name="report") as reader:
        reader.execute("select count(*) from public.goods")
        found, pid = look(shop, url), reader.info.backend_pid

    (holder,) = next(table for table in found.tables if table.name == "public.goods").holders
    assert (holder.pid, holder.application) == (pid, "report")
    assert holder.query == "select count(*) from public.goods"
    assert f"held by pid {holder.pid} (postgres, report, idle in transaction)" in said(found)


def test_plan_does_not_wait_for_a_locked_table(shop: Project, url: str) -> None:
    shop.deploy(url)
    shop.write(COLOUR, "alter table public.goods add column colour text;")

    with psycopg.connect(url) as locker:
        locker.execute("lock table public.goods in access exclusive mode")
        found = look(shop, url)

    assert [table.name for table in found.tables] == ["public.goods"]


def test_quick_lock_kept_during_slow_work_is_as_bad_as_the_work(
    shop: Project, url: str, conn: Connection
) -> None:
    shop.deploy(url)
    conn.execute(
        "create table shop.archive as select repeat('x', 200) from generate_series(1, 4e5)"
    )
    text = "alter table public.goods add column colour text;"
    shop.write(COLOUR, f"{text}\ncreate index archive_idx on shop.archive (repeat);")

    with psycopg.connect(url) as reader:
        reader.execute("select count(*) from public.goods")
        together, _ = every_statement(look(shop, url))
        shop.write(COLOUR, text)
        (alone,) = every_statement(look(shop, url))

    assert (together.risk, alone.risk) == ("medium", "low")
    assert "the lock is kept until line 2 has done its work" in together.reason


def test_safer_way_is_told(shop: Project, url: str, conn: Connection) -> None:
    shop.deploy(url)
    script = """
        create index goods_title_idx on public.goods (title);
        alter table public.goods add constraint goods_price_positive check (price > 0);
        alter table public.goods add column token uuid default gen_random_uuid();
        alter table public.goods alter column owner_id set not null;
        update public.goods set title = 'z';
    """
    shop.write(COLOUR, script)

    told = [statement.instead or "" for statement in every_statement(look(shop, url))]

    assert ["create index concurrently" in told[0], "not valid" in told[1]] == [True, True]
    assert ["in batches by a job" in told[2], "is not null) not valid" in told[3]] == [True, True]
    assert "batches" in told[4]


def test_what_cannot_be_read_is_a_lock_on_the_unknown(
    shop: Project, url: str, conn: Connection
) -> None:
    shop.deploy(url)
    shop.write(COLOUR, "do $$ begin update public.goods set title = 'z'; end $$;")

    (statement,) = every_statement(look(shop, url))
    assert (statement.locks[0].mode, statement.locks[0].table) == ("ACCESS EXCLUSIVE", None)
    assert statement.risk == "medium"  # every table here is small

    fill(conn, 60_000)
    conn.execute("vacuum public.goods")
    found = look(shop, url)
    assert found.summary.risk == "high"
    assert "strongest lock ACCESS EXCLUSIVE on unknown" in said(found)


def test_set_not_null_is_quick_through_a_validated_check(
    shop: Project, url: str, conn: Connection
) -> None:
    """Also when all three steps are pending, each in its own file."""
    shop.deploy(url)
    steps = (
        "alter table public.goods add constraint c check (owner_id is not null) not valid;",
        "alter table public.goods validate constraint c;",
        "alter table public.goods alter column owner_id set not null;",
    )
    for n, text in enumerate(steps):
        shop.write(f"migrations/2026010400000{n}_step_shop_{n}.sql", text)

    add, validate, set_ = every_statement(look(shop, url))

    assert (add.scans, validate.scans, set_.scans) == ((), ("public.goods",), ())
    assert [lock.mode for lock in validate.locks] == ["SHARE UPDATE EXCLUSIVE"]


# the commands


def hub(*arguments: str) -> tuple[int, str]:
    done = RUNNER.invoke(app, ["plan", *arguments])
    return done.exit_code, done.output


def test_exit_code_tells_a_high_risk(shop: Project, url: str, conn: Connection) -> None:
    where = ("--database-url", url, "--root", str(shop.root), "--sample", "0")
    assert hub(*where)[0] == 0
    shop.deploy(url)
    assert hub(*where)[0] == 0

    fill(conn, 60_000)
    conn.execute("vacuum public.goods")
    shop.write(COLOUR, "do $$ begin perform 1; end $$;")
    code, output = hub(*where)
    assert code == 2
    assert output.rstrip().endswith("risk high")

    edited(shop)
    assert hub(*where)[0] == 1


def test_json_keeps_its_documented_shape(shop: Project, url: str, conn: Connection) -> None:
    shop.deploy(url)
    shop.write(COLOUR, "alter table public.goods add column colour text;")

    code, output = hub(
        *("--database-url", url, "--root", str(shop.root), "--sample", "0", "--json")
    )

    assert code == 0
    found = Plan.model_validate_json(output)
    assert found.format == 1
    assert found.summary.statements == 1
    page = (PROJECT_ROOT / "docs" / "how-to" / "deploy.md").read_text()
    shapes = [Plan.model_json_schema(), *Plan.model_json_schema()["$defs"].values()]
    for name in {name for shape in shapes for name in shape.get("properties", ())}:
        assert f"`{name}`" in page, f"docs/how-to/deploy.md does not explain {name}"


@pytest.mark.skipif(os.environ.get("PG", "18") != "18", reason="sizes differ between majors")
def test_sample_in_the_docs_is_real(shop: Project, url: str, conn: Connection) -> None:
    """docs/how-to/deploy.md shows what this prints, but for address, version and last digits."""
    shop.deploy(url)
    fill(conn, 300_000)
    shop.write(
        COLOUR,
        "alter table public.goods add column colour text not null default 'red';\n"
        "create index goods_title_idx on public.goods (title);\n",
    )
    shop.write(
        "migrations/20260105000000_index_shop_owner.sql",
        "-- no-transaction\n"
        "create index concurrently if not exists goods_owner_idx on public.goods (owner_id);\n",
    )
    shop.change("sql/shop/discounted.sql", "9 / 10", "8 / 10")
    shop.change("policies/shop/goods.sql", "using (true)", "using (price > 0)")

    with psycopg.connect(url) as seller:
        seller.execute("insert into public.goods (title, price) values ('y', 1)")
        found = look(shop, url)
    text = re.sub(r"^.*held by pid.*\n", "", said(found), flags=re.MULTILINE)

    page = (PROJECT_ROOT / "docs" / "how-to" / "deploy.md").read_text()
    shown = page.split("<!-- sample -->\n```text\n", 1)[1].split("```", 1)[0]
    assert plain(shown) == plain(text)


def plain(text: str) -> str:
    """Without what differs from run to run."""
    text = re.sub(r"Plan for .*", "Plan for …", text)
    text = re.sub(r"; deploy must wait for pid \d+, which has\s+held a lock for [\d.]+ s", "", text)
    return " ".join(re.sub(r"\d+(\.\d)? (MB|kB|s)\b", r"N \2", text).split())


# the project's own tree


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Project:
    copy = tmp_path_factory.mktemp("plan_tree")
    for room in ("migrations", "sql", "policies"):
        shutil.copytree(PROJECT_ROOT / room, copy / room)
    return Project(copy)


@pytest.fixture
def watched(url: str) -> Iterator[Connection]:
    with psycopg.connect(url, autocommit=True) as conn:
        yield conn


def hold_to_the_prediction(url: str, parts: list[tuple[str, Parsed]], *, keep: bool) -> None:
    """Run one transaction's statements; after each, what is held must have been announced."""
    with (
        psycopg.connect(url, autocommit=True) as conn,
        psycopg.connect(url, autocommit=True) as looking,
    ):
        remember(conn)
        catalog = Catalog(looking, conn.info.server_version)
        effects = []
        forget_reads(conn)
        with conn.transaction(force_rollback=not keep):
            conn.execute("set local check_function_bodies = off")
            for path, part in parts:
                effects.append(read(part, catalog))
                where = f"{path}:{part.line}"
                conn.execute(part.text.encode(), prepare=False)
                compare(effects, Measured(held(conn), set(), set()), where)
                assert not effects[-1].unknown, where
            done = Measured(held(conn), rewritten(conn), measure_read(conn))
            compare(effects, done, parts[0][0])


def test_every_statement_of_the_tree_holds_to_its_prediction(
    tree: Project, url: str, watched: Connection
) -> None:
    """Migration by migration on a database with the state before, then all code once more."""
    everything = read_tree(tree.root)
    tree.deploy(url, until="0")
    for migration in everything.migrations:
        if migration.in_transaction:
            parts = [(migration.path, part) for part in migration.statements]
            hold_to_the_prediction(url, parts, keep=True)
            history.record_migration(watched, migration)
        else:
            tree.deploy(url, until=migration.version)
    tree.deploy(url)
    for step in ordered(everything.code):
        if step.kind != FUNCTION:
            parts = [(file.path, part) for file in step.files for part in file.locking_part]
            hold_to_the_prediction(url, parts, keep=False)


def test_procrastinates_schema_holds_to_its_prediction(url: str) -> None:
    from procrastinate.schema import SchemaManager

    parts = [(INSTALLED_FROM, part) for part in statements(SchemaManager.get_schema())]
    opening = statements("create schema procrastinate; set search_path = procrastinate")
    hold_to_the_prediction(url, [*(("", part) for part in opening), *parts], keep=False)


def test_plan_of_the_tree_locks_only_what_is_not_its_own(
    tree: Project, url: str, watched: Connection
) -> None:
    """Into a fresh project: nothing but the tables of others on which ours hangs something."""
    found = plan(url, root=tree.root, sample=0)

    assert {table.name for table in found.tables} <= {"auth.users", "realtime.messages"}
    assert found.summary.risk == "low"
    assert found.summary.rewrites == ()

    tree.deploy(url)
    assert plan(url, root=tree.root, sample=0).transactions == ()


def test_root_without_migrations_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(DeployRefused, match="has no migrations"):
        plan(url, root=tmp_path)
