"""hub deploy: what it applies, and what a second run does."""

from __future__ import annotations

import shutil
from pathlib import Path

import psycopg
import pytest

from procrastinate_app.deploy import (
    DeployFailed,
    SchemaTooOld,
    latest_version,
    require_schema,
)
from procrastinate_app.local import postgres
from tests.deploy.project import OFFERS, REFUSE_CHANGE, Connection, Project
from tests.support.databases import HOSTED, superuser_url


def test_applies_everything(shop: Project, url: str, conn: Connection) -> None:
    done = shop.deploy(url)

    assert len(done.migrations) == 3
    assert len(done.files) == 8
    conn.execute("insert into public.goods (title, price) values ('bread', 100)")
    assert conn.execute("select public.sell(1)").fetchone() == (90,)
    assert conn.execute("select price from public.best_offer()").fetchone() == (90,)
    with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
        conn.execute("delete from shop.sales where true")


def test_second_run_applies_nothing(shop: Project, url: str, conn: Connection) -> None:
    shop.deploy(url)
    before = conn.execute("select path, digest, xmin::text from deploy.files order by 1").fetchall()

    lines: list[str] = []
    done = shop.deploy(url, report=lines.append)

    after = conn.execute("select path, digest, xmin::text from deploy.files order by 1").fetchall()
    assert not done.changed
    assert lines == []
    assert after == before


def test_a_trigger_that_is_always_on_stays_so_when_it_is_made_again(
    shop: Project, url: str, conn: Connection
) -> None:
    """`create or replace trigger` by itself puts it back to what a replica does not fire."""
    path = "sql/shop/tg_sales__refuse_change.sql"
    enabled = "select tgenabled::text from pg_trigger where tgname = '_100_refuse_change'"
    shop.deploy(url)
    assert conn.execute(enabled).fetchall() == [("O",)]
    always = REFUSE_CHANGE + "\nalter table shop.sales enable always trigger _100_refuse_change;\n"
    for text in (always, always.replace("append-only'", "append-only, always'"), always):
        shop.write(path, text)
        assert list(shop.deploy(url).files) == [path]
        assert conn.execute(enabled).fetchall() == [("A",)]
    assert not shop.deploy(url).changed
    conn.execute("insert into public.goods (title, price) values ('bread', 100)")
    conn.execute("select public.sell(1)")
    conn.execute("set session_replication_role = replica")
    with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
        conn.execute("delete from shop.sales where true")


def test_history_has_the_shape_of_the_supabase_cli(
    shop: Project, url: str, conn: Connection
) -> None:
    shop.deploy(url)

    rows = conn.execute(
        "select version, name, statements from supabase_migrations.schema_migrations order by 1"
    ).fetchall()
    assert [row[:2] for row in rows] == [
        ("20260101000000", "create_shop_goods"),
        ("20260102000000", "add_shop_stock"),
        ("20260103000000", "index_shop_price"),
    ]
    assert [len(row[2]) for row in rows] == [7, 1, 1]
    assert rows[1][2] == ["alter table public.goods add column stock integer not null default 0"]


def test_only_changed_files_are_applied(shop: Project, url: str, conn: Connection) -> None:
    shop.deploy(url)
    policies = "select polname, oid from pg_policy order by 1"
    before = conn.execute(policies).fetchall()

    shop.change("sql/shop/discounted.sql", "9 / 10", "8 / 10")
    shop.write(
        "migrations/20260104000000_add_shop_colour.sql", "alter table public.goods add c text;"
    )
    done = shop.deploy(url)

    assert done.files == ["sql/shop/discounted.sql"]
    assert done.migrations == ["migrations/20260104000000_add_shop_colour.sql"]
    assert conn.execute(policies).fetchall() == before
    assert conn.execute("select shop.discounted(100)").fetchone() == (80,)


def test_until_leaves_an_older_release(shop: Project, url: str) -> None:
    done = shop.deploy(url, until="20260101000000")

    assert done.migrations == ["migrations/20260101000000_create_shop_goods.sql"]
    assert done.files == []
    assert shop.version_at(url) == "20260101000000"
    assert latest_version(shop.root) == "20260103000000"

    shop.deploy(url)
    assert shop.version_at(url) == "20260103000000"


async def test_older_schema_is_refused_to_the_worker(shop: Project, url: str) -> None:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as worker:
        with pytest.raises(SchemaTooOld, match="at schema none, this code needs 20260103000000"):
            await require_schema(worker, shop.root)
        shop.deploy(url, until="20260102000000")
        with pytest.raises(SchemaTooOld, match=r"at schema 20260102000000.*run `hub deploy` first"):
            await require_schema(worker, shop.root)
        shop.deploy(url)
        await require_schema(worker, shop.root)


async def test_newer_schema_is_served_by_an_older_worker(
    shop: Project, url: str, tmp_path: Path
) -> None:
    shop.deploy(url)
    older = tmp_path / "older"
    shutil.copytree(shop.root, older)
    (older / "migrations" / "20260103000000_index_shop_price.sql").unlink()

    async with await psycopg.AsyncConnection.connect(url) as worker:
        await require_schema(worker, older)


def test_object_dropped_by_cascade_comes_back(shop: Project, url: str, conn: Connection) -> None:
    shop.deploy(url)
    shop.write(
        "migrations/20260104000000_change_shop_discounted.sql",
        "drop function if exists shop.discounted(bigint) cascade;",
    )

    done = shop.deploy(url)

    assert set(done.files) == {
        "sql/shop/discounted.sql",
        "sql/shop/bargains.sql",
        "sql/shop/offers.sql",
        "sql/shop/best_offer.sql",
    }
    conn.execute("insert into public.goods (title, price) values ('bread', 100)")
    assert conn.execute("select price from public.best_offer()").fetchone() == (90,)


def test_object_made_again_by_hand_gets_its_grants_back(
    shop: Project, url: str, conn: Connection
) -> None:
    shop.deploy(url)
    conn.execute("drop function public.sell(bigint)")
    conn.execute("create function public.sell(goods_id bigint) returns bigint return 0")

    done = shop.deploy(url)

    assert done.files == ["sql/shop/sell.sql"]
    granted = "select has_function_privilege('anon', 'public.sell(bigint)', 'execute')"
    assert conn.execute(granted).fetchone() == (False,)


def test_table_made_again_gets_its_policies_back(shop: Project, url: str, conn: Connection) -> None:
    shop.deploy(url)
    conn.execute(
        """
        drop table shop.sales;
        create table shop.sales (id bigint primary key, goods_id bigint, amount bigint);
        grant all on shop.sales to anon;
        """
    )

    done = shop.deploy(url)

    assert set(done.files) == {"policies/shop/sales.sql", "sql/shop/tg_sales__refuse_change.sql"}
    granted = "select has_table_privilege('anon', 'shop.sales', 'select')"
    assert conn.execute(granted).fetchone() == (False,)


def test_policy_taken_out_of_its_file_stops_admitting(
    shop: Project, url: str, conn: Connection
) -> None:
    shop.deploy(url)
    shop.change(
        "policies/shop/goods.sql",
        """drop policy if exists insert_own on public.goods;
create policy insert_own on public.goods
for insert to authenticated
with check (owner_id = (select auth.uid()));
""",
        "",
    )

    shop.deploy(url)

    names = conn.execute(
        "select polname from pg_policy where polrelid = 'public.goods'::regclass"
    ).fetchall()
    assert names == [("select_all",)]


def test_changed_argument_without_a_drop_is_refused_and_changes_nothing(
    shop: Project, url: str, conn: Connection
) -> None:
    shop.deploy(url)
    shop.change("sql/shop/discounted.sql", "bigint", "numeric")
    shop.change("sql/shop/sell.sql", "Sell one.'", "Sell one of them.'")

    with pytest.raises(DeployFailed, match=r"2 signatures: .*drop function if exists"):
        shop.deploy(url)

    kept = conn.execute("select count(*) from pg_proc where proname = 'discounted'").fetchone()
    assert kept == (1,)
    comment = conn.execute("select obj_description('public.sell(bigint)'::regprocedure)").fetchone()
    assert comment == ("Sell one.",)

    shop.write(
        "migrations/20260104000000_change_shop_discounted.sql",
        "drop function if exists shop.discounted(bigint) cascade;",
    )
    shop.deploy(url)
    assert conn.execute("select shop.discounted(10::numeric)").fetchone() is not None


def test_failure_names_file_and_line(shop: Project, url: str) -> None:
    shop.change("policies/shop/goods.sql", "owner_id = (", "owner = (")

    with pytest.raises(
        DeployFailed, match=r"policies/shop/goods\.sql:9: column \"owner\" does not"
    ):
        shop.deploy(url)


def test_failed_migration_leaves_nothing_and_can_be_mended(
    shop: Project, url: str, conn: Connection
) -> None:
    path = "migrations/20260104000000_break_shop_goods.sql"
    shop.write(path, "create table shop.half ();\nalter table shop.nowhere add x int;\n")
    with pytest.raises(DeployFailed, match=r"break_shop_goods\.sql:2: "):
        shop.deploy(url)
    assert conn.execute("select to_regclass('shop.half')").fetchone() == (None,)

    shop.write(path, "create table shop.half ();")
    done = shop.deploy(url)
    assert done.migrations == [path]


def test_index_left_half_built_is_built_again(
    shop: Project, url: str, conn: Connection, server: postgres.Server
) -> None:
    shop.deploy(url, until="20260102000000")
    conn.execute("create index goods_price_idx on public.goods (price)")
    # what a concurrent build leaves behind when it is cut off
    with psycopg.connect(superuser_url(server, conn.info.dbname)) as superuser:
        superuser.execute(
            "update pg_index set indisvalid = false"
            " where indexrelid = 'public.goods_price_idx'::regclass"
        )

    shop.deploy(url)

    valid = "select indisvalid from pg_index where indexrelid = 'public.goods_price_idx'::regclass"
    assert conn.execute(valid).fetchone() == (True,)


def test_settings_of_one_migration_do_not_reach_the_next(
    shop: Project, url: str, conn: Connection
) -> None:
    shop.write("migrations/20260104000000_set_shop_path.sql", "set search_path = shop;")
    shop.write("migrations/20260105000000_create_shop_shelf.sql", "create table shelf ();")

    shop.deploy(url)

    found = conn.execute("select to_regclass('public.shelf') is not null").fetchone()
    assert found == (True,)


def test_migration_applied_by_the_supabase_cli_is_adopted(
    shop: Project, url: str, conn: Connection
) -> None:
    shop.deploy(url)
    conn.execute("delete from deploy.files where path like 'migrations/%'")

    done = shop.deploy(url)

    assert not done.changed
    kept = conn.execute("select count(*) from deploy.files where path like 'migrations/%'")
    assert kept.fetchone() == (3,)


def test_migrations_of_the_app_around_us_are_left_alone(
    shop: Project, url: str, conn: Connection
) -> None:
    shop.deploy(url)
    conn.execute(
        "insert into supabase_migrations.schema_migrations (version, name)"
        " values ('20990101000000', 'theirs')"
    )

    shop.write(
        "migrations/20260104000000_add_shop_colour.sql", "alter table public.goods add c text;"
    )
    assert shop.deploy(url).migrations == ["migrations/20260104000000_add_shop_colour.sql"]
    assert shop.version_at(url) == "20260104000000"


def test_view_that_loses_a_column_is_dropped_first_by_its_own_file(
    shop: Project, url: str, conn: Connection
) -> None:
    shop.deploy(url)
    shop.remove("sql/shop/best_offer.sql")
    shop.write("migrations/20260104000000_drop_shop_best.sql", "drop function public.best_offer();")
    shop.write(
        "sql/shop/offers.sql",
        OFFERS.replace("b.id, b.title", "b.title").replace(
            "create or replace view", "drop view if exists public.offers;\ncreate view"
        ),
    )

    lines: list[str] = []
    done = shop.deploy(url, report=lines.append)

    assert done.files == ["sql/shop/offers.sql"]
    assert "no longer in the tree: sql/shop/best_offer.sql" in lines
    columns = conn.execute(
        "select attname from pg_attribute where attrelid = 'public.offers'::regclass and attnum > 0"
    ).fetchall()
    assert columns == [("title",), ("price",)]


@pytest.mark.skipif(HOSTED, reason="there no test's owner is superuser")
def test_works_without_superuser(
    shop: Project, url: str, conn: Connection, server: postgres.Server
) -> None:
    """Hosted Supabase's `postgres` creates roles and bypasses RLS, and is no superuser."""
    conn.execute(
        f"create role hosted_owner login password '{server.password_of('hosted_owner')}'"
        " createdb createrole bypassrls noinherit"
    )
    name = conn.info.dbname
    conn.execute(f"grant create on database {name} to hosted_owner")
    conn.execute("grant create, usage on schema public to hosted_owner")
    conn.execute("grant usage on schema auth to hosted_owner")

    done = shop.deploy(server.url(name, user="hosted_owner"))

    assert len(done.files) == 8
    conn.execute("drop owned by hosted_owner cascade; drop role hosted_owner")
