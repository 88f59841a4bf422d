"""hub deploy: what it refuses, before it touches the database."""

from __future__ import annotations

import psycopg
import pytest

from procrastinate_app.deploy import DeployRefused
from procrastinate_app.local import postgres
from tests.deploy.project import DISCOUNTED, GOODS_POLICY, REFUSE_CHANGE, Connection, Project


def refused(shop: Project, url: str, message: str) -> None:
    """Expect the refusal, and that the database was left as it was."""
    count = "select count(*) from pg_class"
    with psycopg.connect(url, autocommit=True) as conn:
        before = conn.execute(count).fetchone()
        with pytest.raises(DeployRefused, match=message):
            shop.deploy(url)
        assert conn.execute(count).fetchone() == before


def test_edited_migration_is_refused(shop: Project, url: str) -> None:
    shop.deploy(url)
    shop.change("migrations/20260102000000_add_shop_stock.sql", "default 0", "default 1")

    refused(shop, url, r"20260102000000_add_shop_stock\.sql was edited .* new migration")


def test_tree_older_than_the_database_is_refused(shop: Project, url: str) -> None:
    shop.deploy(url)
    shop.remove("migrations/20260103000000_index_shop_price.sql")

    refused(shop, url, r"index_shop_price\.sql was deployed here but is not in this tree")


def test_new_migration_older_than_the_newest_applied_is_refused(shop: Project, url: str) -> None:
    shop.deploy(url)
    shop.write("migrations/20260102120000_add_shop_late.sql", "create table shop.late ();")

    refused(shop, url, r"add_shop_late\.sql is older than 20260103000000.*Rename it")


WRONG_FILES = {
    "a function under another name": (
        "sql/shop/discounted.sql",
        DISCOUNTED.replace("shop.discounted(", "shop.reduced("),
        r"sql/shop/discounted\.sql:3: create function shop\.reduced does not belong here: "
        r"the name announces the function shop\.discounted or public\.discounted",
    ),
    "a function of another domain": (
        "sql/shop/discounted.sql",
        DISCOUNTED.replace("shop.discounted(", "ledger.discounted("),
        r"create function ledger\.discounted does not belong here",
    ),
    "a second function": (
        "sql/shop/discounted.sql",
        DISCOUNTED + "create or replace function shop.extra() returns int return 1;",
        r"create function shop\.extra does not belong here",
    ),
    "an overload": (
        "sql/shop/discounted.sql",
        DISCOUNTED + "create or replace function shop.discounted() returns int return 1;",
        r"defines function shop\.discounted twice; overloads are not allowed",
    ),
    "a name hidden in a comment": (
        "sql/shop/discounted.sql",
        "/* create function shop.discounted() /* */ */ create or replace function shop.other()"
        " returns text language sql set search_path = '' as $body$ select '$$; -- ' $body$;",
        r"create function shop\.other does not belong here",
    ),
    "grants on another function": (
        "sql/shop/discounted.sql",
        DISCOUNTED + "grant execute on function shop.sell(bigint) to anon;",
        r"grant function shop\.sell does not belong here",
    ),
    "a function without its schema": (
        "sql/shop/discounted.sql",
        DISCOUNTED.replace("function shop.discounted(", "function discounted("),
        "name the function with its schema",
    ),
    "a function that cannot be made twice": (
        "sql/shop/discounted.sql",
        DISCOUNTED.replace("create or replace", "create"),
        r"could not be made twice: write `create or replace`",
    ),
    "a table": (
        "sql/shop/shelf.sql",
        "create table shop.shelf ();",
        r"sql/shop/shelf\.sql:1: `create table shop\.shelf \(\) …` has no place here",
    ),
    "a DO block": (
        "policies/shop/goods.sql",
        GOODS_POLICY + "do $$ begin create policy x on public.goods; end $$;",
        r"goods\.sql:15: `do \$\$ begin create …` has no place here",
    ),
    "a trigger on another table": (
        "sql/shop/tg_sales__refuse_change.sql",
        REFUSE_CHANGE.replace("on shop.sales", "on public.goods"),
        r"create trigger _100_refuse_change on public\.goods does not belong here",
    ),
    "a trigger of another table switched": (
        "sql/shop/tg_sales__refuse_change.sql",
        REFUSE_CHANGE + "alter table public.goods enable always trigger _100_refuse_change;",
        r"alter trigger _100_refuse_change on public\.goods does not belong here",
    ),
    "another trigger of the table switched": (
        "sql/shop/tg_sales__refuse_change.sql",
        REFUSE_CHANGE + "alter table shop.sales enable always trigger _200_tell;",
        r"alter trigger _200_tell on shop\.sales does not belong here",
    ),
    "all triggers of the table switched": (
        "sql/shop/tg_sales__refuse_change.sql",
        REFUSE_CHANGE + "alter table shop.sales enable always trigger all;",
        r"alter trigger all on shop\.sales does not belong here",
    ),
    "a trigger switched off": (
        "sql/shop/tg_sales__refuse_change.sql",
        REFUSE_CHANGE + "alter table shop.sales disable trigger _100_refuse_change;",
        r"`alter table shop\.sales disable …` has no place here",
    ),
    "a change of the table behind a trigger switched": (
        "sql/shop/tg_sales__refuse_change.sql",
        REFUSE_CHANGE
        + "alter table shop.sales enable always trigger _100_refuse_change, drop column amount;",
        r"`alter table shop\.sales enable …` has no place here",
    ),
    "a trigger switched by the policies of its table": (
        "policies/shop/sales.sql",
        "alter table shop.sales enable always trigger _100_refuse_change;",
        r"alter trigger _100_refuse_change on shop\.sales does not belong here",
    ),
    "a change of the table before row security": (
        "policies/shop/sales.sql",
        "alter table shop.sales drop column amount, enable row level security;",
        r"`alter table shop\.sales drop …` has no place here",
    ),
    "a change of the table among row security": (
        "policies/shop/sales.sql",
        "alter table shop.sales enable row level security, drop column amount,"
        " force row level security;",
        r"`alter table shop\.sales enable …` has no place here",
    ),
    "a trigger under another name": (
        "sql/shop/tg_sales__refuse_change.sql",
        REFUSE_CHANGE.replace("trigger _100_refuse_change", "trigger refuse_change"),
        r"create trigger refuse_change on shop\.sales does not belong here",
    ),
    "a policy of another table": (
        "policies/shop/goods.sql",
        GOODS_POLICY.replace("insert_own on public.goods", "insert_own on public.others"),
        r"create policy insert_own on public\.others does not belong here",
    ),
    "a policy that cannot be made twice": (
        "policies/shop/goods.sql",
        GOODS_POLICY.replace("drop policy if exists select_all on public.goods;", ""),
        r"policy select_all on public\.goods could not be made twice",
    ),
    "grants on another table": (
        "policies/shop/goods.sql",
        GOODS_POLICY + "grant select on auth.users to anon;",
        r"grant table auth\.users does not belong here",
    ),
    "a string that never ends": (
        "sql/shop/discounted.sql",
        DISCOUNTED.replace("$$;", ";"),
        r"sql/shop/discounted\.sql: line 8: \$\$ is never closed",
    ),
    "the same object in two files": (
        "sql/other/sell.sql",
        "create or replace function public.sell() returns int return 1;",
        r"function public\.sell is already defined by sql/other/sell\.sql",
    ),
    "views that require each other": (
        "sql/shop/bargains.sql",
        "-- requires: public.offers\n\ncreate or replace view public.bargains as select 1;",
        "goes in a circle through",
    ),
    "an unknown requirement": (
        "sql/shop/bargains.sql",
        "-- requires: public.nothing\n\ncreate or replace view public.bargains as select 1;",
        r"requires public\.nothing, which no file defines",
    ),
    "a commit inside a migration": (
        "migrations/20260105000000_commit_shop_early.sql",
        "create table shop.a (); commit;",
        "remove `commit`",
    ),
    "two statements outside a transaction": (
        "migrations/20260105000000_index_shop_twice.sql",
        "-- no-transaction\n\nvacuum; vacuum;",
        "holds exactly one statement",
    ),
    "an index that cannot be built twice": (
        "migrations/20260105000000_index_shop_again.sql",
        "-- no-transaction\n\ncreate index concurrently again_idx on public.goods (title);",
        r"write `if \[not\] exists`",
    ),
    "a migration without a version": (
        "migrations/add_things.sql",
        "select 1;",
        "a migration is named <utc14>_",
    ),
}


@pytest.mark.parametrize("wrong", WRONG_FILES)
def test_refuses(wrong: str, shop: Project, url: str) -> None:
    path, text, message = WRONG_FILES[wrong]
    shop.write(path, text)

    refused(shop, url, message)


def test_plain_postgres_is_refused(shop: Project, server: postgres.Server) -> None:
    with psycopg.connect(server.url(), autocommit=True) as conn:
        conn.execute("drop database if exists plain with (force)")
        conn.execute("create database plain template template0")

    with pytest.raises(DeployRefused, match=r"not a Supabase database: .*schema auth missing"):
        shop.deploy(server.url("plain"))


def test_foreign_queue_is_refused(shop: Project, url: str, conn: Connection) -> None:
    conn.execute(
        "create schema procrastinate; create table procrastinate.procrastinate_jobs (id int)"
    )

    with pytest.raises(DeployRefused, match="its version is unknown"):
        shop.deploy(url)
