"""What hub plan predicts of a statement, against what Postgres does when it is really run.

A prediction may be too strong, never too weak: each lock, each table written anew, each table read
in full is measured in a transaction, and must have been announced.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import psycopg
import pytest

from procrastinate_app.deploy.lexer import statements
from procrastinate_app.deploy.locks import Effect, Mode, read
from procrastinate_app.deploy.locks_alter import is_alike
from procrastinate_app.deploy.plan_catalog import Catalog
from procrastinate_app.local import postgres
from tests.deploy.measure import Measured, forget_reads, measure, remember
from tests.deploy.project import Connection
from tests.support.running import until

SHOP = """
create schema shop;
create table shop.goods (
  id bigint generated always as identity primary key,
  title text,
  code varchar(10) check (code <> ''),
  price numeric(10, 2),
  sold_at timestamp,
  nick serial,
  colour text not null default 'red',
  stock integer,
  constraint goods_stock_known check (stock is not null)
);
create table shop.sales (
  id bigint primary key,
  goods_id bigint references shop.goods,
  amount integer
);
create table shop.refunds (
  id bigint primary key,
  sale_id bigint references shop.sales on delete cascade
);
create table shop.events (id integer, refund_id bigint references shop.refunds)
partition by range (id);
create table shop.events_1 partition of shop.events for values from (0) to (100);
create table shop.events_rest partition of shop.events default;
create table shop.loose (id integer, refund_id bigint);
create table shop.parent (id integer);
create table shop.heir (extra integer) inherits (shop.parent);
create view shop.cheap as select id, title from shop.goods;
create view shop.cheapest as select id from shop.cheap;
create materialized view shop.totals as select id, title from shop.goods;
create unique index totals_id_idx on shop.totals (id);
create domain shop.amount as integer;
create domain shop.positive as integer check (value > 0);
create table shop.paid (sum shop.amount);
create type shop.pair as (a integer);
create type shop.mood as enum ('fine');
create table shop.pairs (pair shop.pair);
create function shop.five() returns integer language sql immutable as 'select 5';
create function shop.touch() returns trigger language plpgsql as 'begin return new; end';
create trigger _100_touch before insert on shop.loose for each row execute function shop.touch();
create policy see on shop.goods using (true);
create sequence shop.numbers;
create publication feed for table shop.sales;
create statistics shop.goods_statistics on title, code from shop.goods;
create index goods_title_idx on shop.goods (title);
create unique index goods_code_idx on shop.goods (code);
create index events_id_idx on shop.events (id);
create rule nothing as on insert to shop.parent do also nothing;
alter table shop.sales add constraint sales_amount_known check (amount is not null) not valid;
insert into shop.goods (title, code, price, stock)
select 'x', n::text, 1, 1 from generate_series(1, 50) as n;
insert into shop.sales select n, 1, 1 from generate_series(1, 50) as n;
insert into shop.refunds select n, n from generate_series(1, 50) as n;
insert into shop.events select n, 1 from generate_series(1, 50) as n;
insert into shop.paid select 1;
insert into shop.parent select 1;
insert into shop.heir select 1, 1;
"""

# Each is one transaction. Several statements are separated by `;`.
ALTER_TABLE = """
alter table shop.goods add column a integer
alter table shop.goods add column a integer default 5 not null
alter table shop.goods add column a timestamptz default now()
alter table shop.goods add column a text default 'not null, unique (x)'
alter table shop.goods add column a integer default (3 + 4) check (a > 0)
alter table shop.goods add column a double precision default random()
alter table shop.goods add column a uuid not null default gen_random_uuid()
alter table shop.goods add column a integer default shop.five()
alter table shop.goods add column a timestamptz default clock_timestamp()
alter table shop.goods add column a bigserial
alter table shop.goods add column a bigint generated always as identity
alter table shop.goods add column a bigint generated always as (id + 1) stored
alter table shop.goods add column a shop.positive
alter table shop.goods add column a shop.positive default 3
alter table shop.goods add column a shop.mood default 'fine'
alter table shop.goods add column a bigint references shop.refunds
alter table shop.goods add column a bigint default 1 references shop.refunds
alter table shop.goods add column a integer unique
alter table shop.goods add column if not exists title text
alter table shop.goods add column a integer, alter column title set default 'y', add column b text
alter table shop.goods drop column price
alter table shop.goods drop column id cascade
alter table shop.goods drop column if exists unheard_of
alter table shop.sales drop column goods_id
alter table shop.goods alter column title set not null
alter table shop.goods alter column colour set not null
alter table shop.goods alter column stock set not null
alter table shop.goods alter column colour drop not null
alter table shop.goods alter column colour set default 'blue'
alter table shop.goods alter column code type varchar(20)
alter table shop.goods alter column code type varchar(5)
alter table shop.goods alter column code type text
alter table shop.goods alter column price type numeric(12, 2)
alter table shop.goods alter column price type numeric(12, 3)
alter table shop.goods alter column price type numeric
alter table shop.goods alter column stock type bigint
alter table shop.goods alter column stock type integer using stock + 1
alter table shop.goods alter column sold_at set data type timestamp(3)
alter table shop.sales alter column goods_id type integer
alter table shop.goods alter column title set statistics 100
alter table shop.goods alter column title set (n_distinct = 5)
alter table shop.goods alter column title set storage external
alter table shop.goods alter column id restart with 1000
alter table shop.goods alter column id drop identity
alter table shop.goods rename column title to name
alter table shop.goods rename to wares
alter table shop.goods set schema public
alter table shop.goods owner to current_user
alter table shop.loose set unlogged
alter table shop.goods set (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01)
alter table shop.goods reset (fillfactor)
alter table shop.goods cluster on goods_title_idx
alter table shop.goods replica identity full
alter table shop.goods enable row level security
alter table shop.goods force row level security
alter table shop.loose disable trigger _100_touch
alter table shop.loose enable always trigger _100_touch
alter table shop.parent disable rule nothing
alter table shop.goods add constraint c check (id > 0)
alter table shop.goods add constraint c check (id > 0) not valid
alter table shop.goods add constraint c unique (title, id)
alter table shop.goods add constraint c unique using index goods_code_idx
alter table shop.loose add primary key (id)
alter table shop.sales add constraint c foreign key (amount) references shop.goods (id)
alter table shop.sales add constraint c foreign key (amount) references shop.goods not valid
alter table shop.sales add constraint c foreign key (amount) references shop.goods not valid; \
alter table shop.sales validate constraint c
alter table shop.sales validate constraint sales_amount_known
alter table shop.sales validate constraint sales_amount_known; \
alter table shop.sales alter column amount set not null
alter table shop.sales drop constraint sales_goods_id_fkey
alter table shop.sales alter constraint sales_goods_id_fkey deferrable
alter table shop.goods drop constraint goods_code_check
alter table shop.goods drop constraint goods_pkey cascade
alter table shop.parent add column more text default random()::text
alter table only shop.parent alter column id set default 5
alter table shop.events add column more text
alter table shop.events add primary key (id)
alter table shop.events detach partition shop.events_1
alter table shop.events attach partition shop.loose for values from (1000) to (2000)
alter table shop.loose inherit shop.parent
alter table shop.heir no inherit shop.parent
alter table if exists shop.unheard_of add column a integer
"""

OTHERS = """
create table shop.a (id integer)
create table shop.a (id integer, goods_id bigint references shop.goods, check (id > 0))
create table shop.a (id integer); alter table shop.a add column b uuid default gen_random_uuid(); \
create index on shop.a (id)
create table if not exists shop.goods (id integer)
create table shop.a (like shop.goods including all)
create table shop.a () inherits (shop.parent)
create table shop.events_2 partition of shop.events for values from (100) to (200)
create table shop.a as select * from shop.cheap
create temporary table a (id integer)
create index on shop.goods (price)
create unique index a on shop.goods (id, title) where stock > 0
create index on shop.events (refund_id)
create index on only shop.events (refund_id)
create index if not exists goods_title_idx on shop.goods (title)
create statistics shop.a on id, title from shop.goods
create view shop.a as select * from shop.cheapest
create or replace view shop.cheap as select id, title from shop.goods where stock > 0
create materialized view shop.a as select * from shop.cheap
create materialized view shop.a as select * from shop.cheap with no data
create trigger a after insert on shop.goods for each row execute function shop.touch()
create or replace trigger _100_touch after insert on shop.loose for each row \
execute function shop.touch()
create trigger a after update on shop.events for each row execute function shop.touch()
create constraint trigger a after update of amount on shop.sales from shop.goods \
for each row execute function shop.touch()
create policy a on shop.goods using (exists (select from shop.cheap))
create rule a as on insert to shop.goods do also nothing
create function shop.a() returns bigint language sql as 'select count(*) from shop.sales'
create function shop.a() returns bigint begin atomic select count(*) from shop.sales; end
create function shop.a() returns setof shop.goods language plpgsql as 'begin return; end'
create sequence shop.a owned by shop.goods.title
create type shop.a as (goods shop.goods)
create domain shop.a as text check (value <> '')
create schema a
create extension if not exists plpgsql
create publication a for table shop.goods
create publication a for all tables
drop table shop.loose
drop table shop.events_1
drop table shop.events
drop table shop.refunds cascade
drop table shop.goods cascade
drop table if exists shop.unheard_of
drop view shop.cheapest
drop view shop.cheap cascade
drop materialized view shop.totals
drop index shop.goods_title_idx
drop index shop.events_id_idx
drop sequence shop.numbers
drop trigger _100_touch on shop.loose
drop policy see on shop.goods
drop policy if exists unheard_of on shop.goods
drop rule nothing on shop.parent
drop statistics shop.goods_statistics
drop publication feed
drop function shop.five()
drop type shop.mood
alter index shop.goods_title_idx rename to a
alter index shop.goods_title_idx set (fillfactor = 70)
alter index shop.goods_title_idx set tablespace pg_default
alter table shop.goods_title_idx rename to a
alter view shop.cheap set (security_barrier = true)
alter view shop.cheap rename to a
alter table shop.cheap rename to a
alter materialized view shop.totals rename to a
alter sequence shop.numbers restart
alter sequence shop.numbers owned by shop.goods.title
alter sequence shop.numbers owner to current_user
alter sequence shop.goods_id_seq increment by 2
alter trigger _100_touch on shop.loose rename to b
alter policy see on shop.goods using (id > 0)
alter statistics shop.goods_statistics rename to a
alter publication feed add table shop.goods
alter publication feed set table shop.goods
alter publication feed drop table shop.sales
alter domain shop.amount add constraint c check (value > 0)
alter domain shop.amount add constraint c check (value > 0) not valid
alter domain shop.amount add constraint c check (value > 0) not valid; \
alter domain shop.amount validate constraint c
alter domain shop.amount set not null
alter domain shop.amount set default 5
alter type shop.pair add attribute b integer
alter type shop.mood rename value 'fine' to 'good'
alter function shop.five() rename to six
alter schema shop rename to a
alter default privileges in schema shop grant select on tables to public
comment on table shop.goods is 'x'
comment on column shop.goods.title is 'x'
comment on view shop.cheap is 'x'
comment on index shop.goods_title_idx is 'x'
comment on constraint goods_pkey on shop.goods is 'x'
comment on trigger _100_touch on shop.loose is 'x'
comment on policy see on shop.goods is 'x'
comment on function shop.five() is 'x'
comment on sequence shop.numbers is 'x'
grant select on shop.goods to public
grant select (title) on table shop.goods to public
grant usage on schema shop to public
revoke all on shop.goods from public
revoke all on all tables in schema shop from public
truncate shop.loose
truncate shop.goods cascade
truncate shop.events
lock table shop.goods in share mode
LOCK TABLE shop.goods IN ACCESS EXCLUSIVE MODE
lock shop.cheap
refresh materialized view shop.totals
refresh materialized view concurrently shop.totals
reindex index shop.goods_title_idx
reindex table shop.goods
cluster shop.goods using goods_title_idx
analyze shop.goods
set local search_path = shop; alter table goods add column a integer
set search_path to shop, public; drop index goods_title_idx
select 1
select * from shop.cheapest for update
with few as (select id from shop.sales limit 1) select * from few
table shop.goods
insert into shop.sales values (1000, 1, 1)
insert into shop.sales values (1, 1, 1) on conflict (id) do update set amount = 2
insert into shop.goods (title, stock) select 'x', 1 from shop.sales
update shop.sales set amount = 2 where id in (select sale_id from shop.refunds)
update shop.goods set title = 'y'
update shop.events set id = id + 1
delete from shop.refunds where id > 1 and not exists (select from shop.events where refund_id > 1)
with gone as (delete from shop.loose returning id) select count(*) from gone
merge into shop.paid as p using shop.sales as s on p.sum = s.amount when matched then do nothing
do $$ begin create extension if not exists plpgsql; end $$
alter table shop.goods rename to wares; alter table shop.wares add column a integer
alter table shop.goods add column a integer; create index a on shop.goods (a); drop index shop.a
"""

NEWER = {
    160000: "",
    170000: "alter table shop.goods alter column id set generated by default",
    180000: """
alter table shop.goods add column a bigint generated always as (id + 1) virtual
alter table shop.goods add column a bigint generated always as (id + 1) virtual not null
alter table shop.goods add constraint c not null title
alter table shop.goods add constraint c not null title not valid
alter table shop.goods add constraint c not null title not valid; \
alter table shop.goods validate constraint c
alter table shop.sales add constraint c foreign key (amount) references shop.goods not enforced
""",
}

# What is announced stronger than it is: rare, and not worth a rule of its own.
STRONGER = (
    "alter constraint",
    "alter trigger",
    "create index if not exists",
    "drop table shop.events_1",
    "drop table shop.refunds cascade",
    "drop index shop.a",
    "no inherit",
    "alter column goods_id type",
    "update shop.events",
    "unheard_of",
    "disable rule",
)

# What nobody can know from the text.
UNKNOWN = """
do $$ begin perform 1 from shop.goods; end $$
do $$ begin execute 'lock shop.goods'; end $$
do 'begin lock shop.goods; end'
drop function shop.touch() cascade
drop schema shop cascade
drop type shop.pair cascade
insert into shop.loose values (1)
select shop.five()
"""


def listed(text: str) -> list[str]:
    return [line for line in text.replace("\\\n", "").splitlines() if line.strip()]


@dataclass
class Shop:
    """The shop's database: one connection that runs statements, one that predicts."""

    runs: Connection
    predicts: Connection

    def predict(self, sql: str) -> list[Effect]:
        catalog = Catalog(self.predicts, self.predicts.info.server_version)
        return [read(statement, catalog) for statement in statements(sql)]

    def run(self, sql: str) -> Measured:
        forget_reads(self.runs)
        with self.runs.transaction(force_rollback=True):
            return measure(self.runs, [statement.text for statement in statements(sql)])


@pytest.fixture(scope="module")
def shop_url(server: postgres.Server) -> Iterator[str]:
    with psycopg.connect(server.url(), autocommit=True) as conn:
        conn.execute("create database plan_locks")
        with psycopg.connect(server.url("plan_locks"), autocommit=True) as made:
            made.execute(SHOP.encode())
        yield server.url("plan_locks")
        conn.execute("drop database plan_locks with (force)")


@pytest.fixture(scope="module")
def database(shop_url: str) -> Iterator[Shop]:
    with (
        psycopg.connect(shop_url, autocommit=True) as runs,
        psycopg.connect(shop_url, autocommit=True) as predicts,
    ):
        remember(runs)
        yield Shop(runs, predicts)


def strongest(effects: list[Effect]) -> dict[str, Mode]:
    """The strongest lock by table over several statements."""
    found: dict[str, Mode] = {}
    for effect in effects:
        for relation, mode in effect.locks.items():
            found[str(relation)] = max(mode, found.get(str(relation), mode))
    return found


def compare(effects: list[Effect], measured: Measured, what: str) -> None:
    """Nothing was stronger, rewritten or read in full without having been announced."""
    locks = strongest(effects)
    weaker = {
        table: f"{mode} instead of {locks.get(table)}"
        for table, mode in measured.locks.items()
        if mode > locks.get(table, 0)
    }
    assert weaker == {}, what
    written = {str(relation) for effect in effects for relation in effect.rewrite}
    assert measured.rewritten <= written, what
    # the key of a new row is looked up in a table so small that it is read whole
    looked_up = {
        str(relation)
        for effect in effects
        if effect.what.startswith("insert into")
        for relation, mode in effect.locks.items()
        if mode is Mode.ROW_SHARE
    }
    scanned = {str(relation) for effect in effects for relation in effect.scan}
    assert measured.read <= written | scanned | looked_up, what


@pytest.mark.parametrize("sql", [*listed(ALTER_TABLE), *listed(OTHERS)])
def test_prediction_is_never_weaker_and_rarely_stronger(sql: str, database: Shop) -> None:
    effects = database.predict(sql)
    measured = database.run(sql)

    compare(effects, measured, sql)

    assert not any(effect.unknown for effect in effects)
    if not any(words in sql for words in STRONGER):
        announced = strongest(effects)
        assert {t: m for t, m in announced.items() if m > 3}.items() <= measured.locks.items()


@pytest.mark.parametrize(
    ("version", "sql"), [(version, sql) for version, text in NEWER.items() for sql in listed(text)]
)
def test_prediction_of_what_only_newer_servers_know(version: int, sql: str, database: Shop) -> None:
    if database.runs.info.server_version < version:
        pytest.skip(f"Postgres {version // 10000} and newer")
    compare(database.predict(sql), database.run(sql), sql)


@pytest.mark.parametrize("sql", listed(UNKNOWN))
def test_what_cannot_be_read_counts_as_unknown(sql: str, database: Shop) -> None:
    (effect,) = database.predict(sql)
    assert effect.unknown


def test_rewrites_are_announced_only_where_rows_are_written_anew(database: Shop) -> None:
    """The list of exceptions is short: a prediction that cries wolf is not read."""
    cries = []
    for sql in listed(ALTER_TABLE):
        announced = {str(relation) for e in database.predict(sql) for relation in e.rewrite}
        if announced - database.run(sql).rewritten:
            cries.append(sql)
    assert cries == []


@pytest.mark.parametrize(
    ("sql", "mode"),
    [
        ("create index concurrently a on shop.goods (price)", Mode.SHARE_UPDATE_EXCLUSIVE),
        ("drop index concurrently shop.goods_title_idx", Mode.SHARE_UPDATE_EXCLUSIVE),
        ("reindex table concurrently shop.goods", Mode.SHARE_UPDATE_EXCLUSIVE),
        ("vacuum shop.goods", Mode.SHARE_UPDATE_EXCLUSIVE),
        ("vacuum (full) shop.goods", Mode.ACCESS_EXCLUSIVE),
    ],
)
def test_prediction_of_what_runs_outside_transactions(
    sql: str, mode: Mode, server: postgres.Server, shop_url: str, database: Shop
) -> None:
    """Somebody holds a lock, so that the statement waits and can be looked at."""
    (effect,) = database.predict(sql)
    goods = {str(relation): found for relation, found in effect.locks.items()}
    assert goods == {"shop.goods": mode}

    query = """
        select mode from pg_locks
        where pid = %s and relation = 'shop.goods'::regclass and not granted
    """
    with (
        psycopg.connect(shop_url) as stranger,
        psycopg.connect(shop_url, autocommit=True) as waiting,
        ThreadPoolExecutor(1) as thread,
    ):
        stranger.execute("lock table shop.goods in share update exclusive mode")
        done = thread.submit(waiting.execute, sql.encode())
        pid = waiting.info.backend_pid
        (found,) = until(lambda: database.predicts.execute(query, (pid,)).fetchall())
        waiting.cancel_safe()
        with pytest.raises(psycopg.errors.QueryCanceled):
            done.result(60)
    assert Mode.named(found[0]) == mode


def test_what_an_earlier_statement_made_locks_nobody(database: Shop) -> None:
    script = """
        create table shop.fresh (id integer);
        alter table shop.fresh add column a uuid default gen_random_uuid();
        create unique index fresh_idx on shop.fresh (id);
        alter index shop.fresh_idx rename to fresh_id_idx;
        alter table shop.fresh rename to newer;
        insert into shop.newer (id) values (1);
        drop table shop.newer;
    """
    for effect in database.predict(script):
        assert (effect.locks, effect.unknown, effect.rewrite) == ({}, "", set())


@pytest.mark.parametrize("column", ["colour", "stock"])
def test_column_known_to_be_full_is_set_not_null_without_a_scan(
    column: str, database: Shop
) -> None:
    """It is not null already, or a validated check says so."""
    sql = f"alter table shop.goods alter column {column} set not null"
    (effect,) = database.predict(sql)
    assert effect.scan == set()
    assert database.run(sql).read == set()


def test_same_name_in_another_schema_is_not_mistaken(database: Shop) -> None:
    (effect,) = database.predict("create index on public.goods (title)")
    assert effect.locks == {}


def test_bare_name_found_nowhere_on_the_path_stands_for_any(database: Shop) -> None:
    (effect,) = database.predict("alter table sales add column a integer")
    assert {str(relation) for relation in effect.locks} == {"shop.sales"}


def test_a_trigger_made_by_the_plan_is_not_seen_through(database: Shop) -> None:
    effects = database.predict(
        "create trigger a before insert on shop.sales for each row execute function shop.touch();"
        "insert into shop.sales values (1, 1, 1)"
    )
    assert [bool(effect.unknown) for effect in effects] == [False, True]


def test_a_new_function_is_not_seen_through(
    database: Shop, new_database: Callable[[], str]
) -> None:
    effects = database.predict(
        "create function shop.f() returns int language sql as 'select 1'; select shop.f()"
    )
    assert [bool(effect.unknown) for effect in effects] == [False, True]


@pytest.mark.parametrize(
    ("old", "new", "alike"),
    [
        ("character varying(10)", "varchar(20)", True),
        ("character varying(10)", "varchar(9)", False),
        ("character varying(10)", "character varying", True),
        ("character varying", "varchar(10)", False),
        ("character varying(10)", "text", True),
        ("text", "varchar", True),
        ("text", "varchar(5)", False),
        ("integer", "int4", True),
        ("integer", "bigint", False),
        ("bigint", "int", False),
        ("numeric(10,2)", "numeric(12,2)", True),
        ("numeric(10,2)", "decimal(12, 2)", True),
        ("numeric(10,2)", "numeric(12,3)", False),
        ("numeric(10)", "numeric(12)", True),
        ("numeric(10,2)", "numeric", True),
        ("numeric", "numeric(10,2)", False),
        ("timestamp without time zone", "timestamp(3)", False),
        ("timestamp(3) without time zone", "timestamp", True),
        ("timestamp without time zone", "timestamptz", False),
        ("cidr", "inet", True),
        ("inet", "cidr", False),
        ("text", "json", False),
        ("integer[]", "bigint[]", False),
        ("bit(3)", "bit(4)", False),
        ("bit varying(3)", "varbit(4)", True),
    ],
)
def test_only_types_stored_alike_are_changed_without_a_rewrite(
    old: str, new: str, alike: bool, database: Shop
) -> None:
    """Also on the server: whatever is announced as alike is not written anew."""
    assert is_alike(old, new) is alike
    if alike:
        with database.runs.transaction(force_rollback=True):
            database.runs.execute(f"create table shop.one (a {old})".encode())
            query = "select pg_relation_filenode('shop.one')"
            before = database.runs.execute(query).fetchone()
            database.runs.execute(f"alter table shop.one alter a type {new}".encode())
            assert database.runs.execute(query).fetchone() == before
