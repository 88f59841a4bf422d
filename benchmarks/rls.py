"""rls: what row level security costs the three hot reads, by switching it off and on."""

from __future__ import annotations

import hashlib
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from benchmarks.cluster import Cluster, run_script, running
from benchmarks.harness import Arm, Comparison, Figure, Options, Result, run_rounds

NAME = "rls"
TITLE = "Row level security on against off, on the hot reads"
TARGET = 0.95
CLIENTS = 2
CLIPS, VOTERS, AUTHORS = 100_000, 2000, 500
DATABASE = "rls"
SAMPLES = 5

INVARIANTS = (
    "both arms return the same rows to the same callers",
    "ledger.verify() on the data set, and again at the end",
    "no failed transaction",
)

BEGIN = (
    "begin;\n"
    "select set_config('search_path', '\"public\", \"extensions\"', true),"
    " set_config('role', 'authenticated', true),"
    " set_config('request.jwt.claims', '{\"sub\":\"' || md5('voter ' || :who::integer)::uuid"
    ' || \'","role":"authenticated"}\', true),'
    " set_config('request.method', 'POST', true), set_config('request.path', '/', true),"
    " set_config('request.headers', '{}', true), set_config('request.cookies', '{}', true);\n"
)


@dataclass(frozen=True)
class Read:
    """A hot read: one text for both arms, with the variables pgbench draws for each call."""

    name: str
    draw: str
    text: LiteralString
    end: str = "commit"

    def script(self, folder: Path) -> Path:
        """The pgbench script, written where pgbench finds it."""
        path = folder / f"{self.name}.pgbench"
        path.write_text(f"{self.draw}{BEGIN}{self.text};\n{self.end};\n")
        return path


# The off arm has to read the same rows: clip_feed itself asks for published clips, and
# wallet_statement for the caller's own account, so the text carries the condition already.
# The queue is rolled back, so that its leases do not pile up from arm to arm.
READS = (
    Read(
        "feed",
        "\\set who random(0, :voters - 1)\n\\set before random(:oldest, :newest)\n",
        "select * from public.clip_feed where language = 'sw'"
        " and published_at < to_timestamp(:before)"
        " order by published_at desc, id desc limit 20",
    ),
    Read(
        "queue",
        "\\set who random(:voters / 10, :voters - 1)\n",
        "select * from public.next_clips_to_review('sw', 10)",
        end="rollback",
    ),
    Read(
        "statement",
        "\\set who random(0, :voters - 1)\n\\set before random(:lines / 4, :lines)\n",
        "select * from public.wallet_statement('USD', :before, 50)",
    ),
)


def run(options: Options) -> Result:
    """Measure the three reads on one data set."""
    sizes = {
        "clips": max(2000, round(CLIPS * options.scale)),
        "voters": max(50, round(VOTERS * options.scale)),
        "authors": max(20, round(AUTHORS * options.scale)),
    }
    with (
        running(canary_scale=max(1, round(10 * options.scale))) as cluster,
        tempfile.TemporaryDirectory() as folder,
    ):
        options.report("  making the data set")
        bench = _Rls(cluster, options, sizes, Path(folder))
        arms = [bench.arm(read, is_on=is_on) for read in READS for is_on in (True, False)]
        rates = tuple(
            Comparison(f"{r.name}, on / off", f"{r.name}, on", f"{r.name}, off", at_least=TARGET)
            for r in READS
        )
        costs = tuple(
            Comparison(f"{r.name}, CPU off / on", f"{r.name}, off", f"{r.name}, on", of_cpu=True)
            for r in READS
        )
        canary_seconds = (options.seconds + 1) // 2
        rounds = run_rounds(arms, options, lambda: cluster.canary(8, canary_seconds))
        return Result(
            NAME,
            TITLE,
            workload=(
                f"{bench.counts()}; {CLIENTS} clients, prepared statements, the API's role switch"
                " in each transaction.",
                "feed: a page of 20 of clip_feed in one language from a random moment on."
                " queue: next_clips_to_review of 10, rolled back."
                " statement: a page of 50 of wallet_statement from a random line on.",
                "off: alter table … disable row level security on every table; the same text,"
                " which names the same rows by itself.",
            ),
            arms=tuple(arms),
            comparisons=rates + costs,
            rounds=rounds,
            invariants=INVARIANTS,
            broken=tuple(bench.broken_books("at the end")),
            notes=bench.buffer_notes(rounds[-1].figures),
        )


class _Rls:
    """The data set, and the switch."""

    def __init__(
        self, cluster: Cluster, options: Options, sizes: dict[str, int], folder: Path
    ) -> None:
        self.cluster = cluster
        self.options = options
        self.folder = folder
        self.seen: dict[str, str] = {}
        cluster.clone(DATABASE)
        with cluster.connect(DATABASE) as conn:
            run_script(conn, "dataset.sql", sizes)
            conn.execute("vacuum (analyze)")
            self.tables = [
                sql.Identifier(schema, name)
                for schema, name in conn.execute(
                    "select relnamespace::regnamespace::text, relname from pg_class"
                    " where relkind = 'r' and relrowsecurity"
                    " and relnamespace::regnamespace::text not in ('auth', 'storage', 'realtime')"
                )
            ]
            oldest, newest, lines = conn.execute(
                "select extract(epoch from min(c.published_at))::bigint,"
                " extract(epoch from max(c.published_at))::bigint,"
                " (select max(a.version) from ledger.accounts as a where a.purpose = 'wallet')"
                " from public.clips as c"
            ).fetchall()[0]
        broken = self.broken_books("of the data set")
        if broken:
            raise RuntimeError(f"the data set is wrong: {broken}")
        self.variables = {
            "voters": sizes["voters"],
            # The feed's oldest pages are short; begin where a page is full.
            "oldest": oldest + (newest - oldest) // 10,
            "newest": newest,
            "lines": lines,
        }

    def arm(self, read: Read, *, is_on: bool) -> Arm:
        name = f"{read.name}, {'on' if is_on else 'off'}"
        return Arm(name, "tx/s", lambda _: self._measure(read, is_on=is_on))

    def _measure(self, read: Read, *, is_on: bool) -> Figure:
        switch: LiteralString = "enable" if is_on else "disable"
        with self.cluster.connect(DATABASE) as conn:
            for table in self.tables:
                conn.execute(
                    sql.SQL("alter table {} " + switch + " row level security").format(table)
                )
            conn.execute("vacuum (analyze) consensus.leases")
            conn.execute("checkpoint")
        load = self.cluster.pgbench(
            DATABASE,
            read.script(self.folder),
            clients=CLIENTS,
            seconds=self.options.seconds,
            variables=self.variables,
        )
        broken = [load.error] if load.error else []
        rows, buffers = self._sample(read)
        if self.seen.setdefault(read.name, rows) != rows:
            broken.append("other rows than the other arm")
        return Figure(
            load.tps,
            load.transactions,
            load.cpu_ms,
            tuple(broken),
            {"latency_ms": load.latency_ms, "buffers": buffers},
        )

    def _sample(self, read: Read) -> tuple[str, float]:
        """A digest of what five callers see, and the pages a call touches (median, warm)."""
        digest = hashlib.sha256()
        pages = []
        with psycopg.connect(self.cluster.server.url(DATABASE)) as conn:
            for n in range(SAMPLES):
                who = self.variables["voters"] // 10 + n
                at = {"feed": ("oldest", "newest"), "statement": ("lines", "lines")}.get(read.name)
                before = sum(self.variables[name] for name in at) // 2 if at else 0
                text = read.text.replace(":before", str(before)).encode()
                begin = BEGIN.replace("begin;\n", "").replace(":who", str(who))
                conn.execute(begin.encode())
                digest.update(repr(_without_times(conn.execute(text).fetchall())).encode())
                conn.rollback()
                conn.execute(begin.encode())
                plan = conn.execute(
                    b"explain (analyze, buffers, timing off, format json) " + text
                ).fetchone()
                assert plan is not None
                top = plan[0][0]["Plan"]
                pages.append(top["Shared Hit Blocks"] + top["Shared Read Blocks"])
                conn.rollback()
        return digest.hexdigest(), median(pages)

    def counts(self) -> str:
        with self.cluster.connect(DATABASE) as conn:
            row = conn.execute(
                "select format('%s clips, %s votes, %s people, %s ledger entries, %s holds',"
                " (select count(*) from public.clips), (select count(*) from public.votes),"
                " (select count(*) from public.profiles), (select count(*) from ledger.entries),"
                " (select count(*) from ledger.holds))"
            ).fetchone()
        assert row is not None
        return str(row[0])

    def buffer_notes(self, figures: dict[str, Figure]) -> tuple[str, ...]:
        """Pages per call, on and off: equal when policies add no reading of their own."""
        return tuple(
            f"{r.name}: {figures[f'{r.name}, on'].facts['buffers']:.0f} pages per call with row"
            f" level security, {figures[f'{r.name}, off'].facts['buffers']:.0f} without"
            for r in READS
        )

    def broken_books(self, when: str) -> list[str]:
        with self.cluster.connect(DATABASE) as conn:
            rows = conn.execute("select check_name, holds from ledger.verify()").fetchall()
        return [f"books {when}: {name}" for name, holds in rows if not holds]


def _without_times(rows: list[tuple[Any, ...]]) -> list[str]:
    """Rows as text, without lease times, which differ between two calls."""
    return [
        json.dumps([str(v) for v in row[:8]])
        if len(row) == 9
        else json.dumps([str(v) for v in row])
        for row in rows
    ]
