"""APP-9: the chain goes on after a dump is restored onto another server."""

from __future__ import annotations

import subprocess

import psycopg

from procrastinate_app.local import postgres, shim
from tests.support.callers import Connection, one
from tests.support.databases import FreshDatabase
from tests.support.seals import checks, head, record, seal_all, sealed


def burn_transaction_ids(conn: Connection, upto: int) -> None:
    """So that this server's ids lie ahead of a fresh one's for good."""
    conn.execute(
        "create procedure pg_temp.burn(n bigint) language plpgsql as $$"
        " begin while pg_current_xact_id()::text::bigint < n loop commit; end loop; end $$"
    )
    conn.execute("call pg_temp.burn(%s)", [upto])


def test_a_restore_onto_a_server_with_lower_transaction_ids(
    fresh_db: FreshDatabase, conn: Connection
) -> None:
    """APP-9: old rows keep their epoch, sealed or not yet; rows written there begin the next, and
    one head proves all of it."""
    burn_transaction_ids(conn, 20_000)
    record(conn, 5)
    assert one(conn, "select seals.seal(3)") == 3
    with postgres.start() as other:
        with psycopg.connect(other.url(), autocommit=True) as made:
            shim.apply(made)
            made.execute("drop schema auth, storage, realtime, extensions cascade")
        copy(fresh_db, other)
        with psycopg.connect(other.url(), autocommit=True) as there:
            assert int(one(there, "select pg_current_xact_id()::text")) < 20_000
            record(there, 4)
            late = psycopg.connect(other.url())
            record(late, 1)
            assert seal_all(there, 3) == 6
            late.commit()
            late.close()
            assert seal_all(there, 3) == 1
            assert [(row["epoch"], row["row_count"]) for row in sealed(there)] == [
                (1, 3), (1, 2), (2, 3), (2, 1), (2, 1),
            ]  # fmt: skip
            assert checks(there, head(there)) == []


def copy(source: FreshDatabase, target: postgres.Server) -> None:
    """Dump and restore, each by its server's own programs."""
    with subprocess.Popen(
        [str(source.server.program("pg_dump")), "--no-owner", source.name],
        env=source.server.env(source.name),
        stdout=subprocess.PIPE,
    ) as dump:
        subprocess.run(
            [str(target.program("psql")), "--quiet", "--no-psqlrc", "--output=/dev/null"],
            env=target.env(),
            stdin=dump.stdout,
            stderr=subprocess.PIPE,
            check=True,
        )
    assert dump.returncode == 0


def test_a_server_that_passed_the_old_ids_before_the_first_seal(conn: Connection) -> None:
    """APP-9: rows written there on both sides of the last sealed position begin an epoch, and
    what came along unsealed stays in the old one."""
    record(conn, 5)
    assert one(conn, "select seals.seal(5)") == 5
    record(conn, 1)
    assert checks(conn, head(conn)) == []
    conn.execute("update seals.chains set cluster = 42")
    record(conn, 2)
    conn.execute("alter table audit.events disable trigger user")
    conn.execute("update audit.events set xid = '5' where id > 6")
    conn.execute("alter table audit.events enable always trigger _100_refuse_change")
    record(conn, 1)
    assert seal_all(conn) == 4
    assert [(row["epoch"], row["row_count"]) for row in sealed(conn)] == [(1, 5), (1, 1), (2, 3)]
    assert checks(conn, head(conn)) == []
