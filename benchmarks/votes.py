"""votes: casting votes through the API's door against `pgbench -N` at the same clients."""

from __future__ import annotations

from math import ceil

import psycopg

from benchmarks.cluster import HERE, Cluster, run_script, running
from benchmarks.harness import Arm, Comparison, Figure, Options, Result, run_rounds

NAME = "votes"
TITLE = "Votes through cast_vote, one in ten deciding, against pgbench -N"
TARGET = 0.35
CLIENTS = (1, 16)
VOTERS, AUTHORS = 1000, 250
FASTEST = 6000  # votes a second nobody reaches here; sizes each arm's supply of clips
DATABASE = "votes"

INVARIANTS = (
    "no deadlock, no serialization failure, no refused vote",
    "every acknowledged vote is there once, tallies are the votes",
    "exactly the tenth votes decided; one decision, audit row and 11 holds and events each",
    "ledger.verify() after each arm, and again after all rewards are settled",
)


def run(options: Options) -> Result:
    """Measure both client counts on one server; see votes.pgbench for the transaction."""
    voters = max(10, round(VOTERS * options.scale))
    authors = max(1, round(AUTHORS * options.scale))
    with running(canary_scale=max(1, round(20 * options.scale))) as cluster:
        bench = _Votes(cluster, options, voters, authors)
        arms: list[Arm] = []
        comparisons = []
        for clients in CLIENTS:
            many = f"{clients} client" + "s" * (clients > 1)
            votes, update = f"votes, {many}", f"pgbench -N, {many}"
            arms.append(bench.arm(votes, clients))
            arms.append(cluster.simple_update(update, clients=clients, seconds=options.seconds))
            comparisons.append(
                Comparison(f"votes / pgbench -N at {many}", votes, update, at_least=TARGET)
            )
        canary_seconds = (options.seconds + 1) // 2
        rounds = run_rounds(arms, options, lambda: cluster.canary(8, canary_seconds))
        broken = bench.settle_everything()
        return Result(
            NAME,
            TITLE,
            workload=(
                "Each vote: begin; one select of seven set_config (role, claims, headers … as the"
                " API sends them); select from public.cast_vote; commit. Prepared statements.",
                f"A lane per client with {voters} voters and {authors} authors of its own, who"
                " all have wallets; every vote is a new pair of clip and voter.",
                "Ten agreeing votes decide a clip: each tenth vote also holds the author's and ten"
                " reviewers' rewards, writes history and audit, and queues 11 events.",
                f"pgbench -N: scale {max(1, round(20 * options.scale))}, so that rows rarely meet.",
                "No randomness on our side; ids are md5 of names.",
            ),
            arms=tuple(arms),
            comparisons=tuple(comparisons),
            rounds=rounds,
            invariants=INVARIANTS,
            broken=broken,
            notes=(bench.hot_updates(),),
        )


class _Votes:
    """The database the votes go into, and where the next arm's clips begin."""

    def __init__(self, cluster: Cluster, options: Options, voters: int, authors: int) -> None:
        self.cluster = cluster
        self.options = options
        self.sizes = {"lanes": max(CLIENTS), "voters": voters, "authors": authors}
        self.next_clip = 0
        cluster.clone(DATABASE)
        with cluster.connect(DATABASE) as conn:
            run_script(conn, "votes.sql", self.sizes)

    def arm(self, name: str, clients: int) -> Arm:
        return Arm(name, "votes/s", lambda _: self._measure(clients))

    def _measure(self, clients: int) -> Figure:
        clips = 20 + ceil(self.options.seconds * FASTEST / 10 / clients)
        sizes = {**self.sizes, "lanes": clients, "clips": clips, "first_clip": self.next_clip}
        self.next_clip += clients * clips
        with self.cluster.connect(DATABASE) as conn:
            run_script(conn, "votes_clips.sql", sizes)
            outbox_before = _scalar(conn, "select coalesce(max(o.id), 0) from jobs.outbox as o")
        self.cluster.settle(DATABASE)

        deadlocks = self.cluster.deadlocks(DATABASE)
        load = self.cluster.pgbench(
            DATABASE,
            HERE / "votes.pgbench",
            clients=clients,
            seconds=self.options.seconds,
            variables={
                "n": 0,
                **{k: sizes[k] for k in ("first_clip", "clips", "voters", "authors")},
            },
        )
        broken = [load.error] if load.error else []
        if self.cluster.deadlocks(DATABASE) > deadlocks:
            broken.append("a deadlock")
        checked = {
            "first_clip": sizes["first_clip"],
            "end_clip": self.next_clip,
            "votes": load.transactions,
            "outbox_before": outbox_before,
        }
        with self.cluster.connect(DATABASE) as conn:
            rows = run_script(conn, "votes_check.sql", checked).fetchall()
            decided = _scalar(
                conn,
                "select count(*) from audit.events as e where e.action = 'clip_decided'"
                " and e.subject_id >= ('01900000-0000-7000-8000-' || lpad(to_hex("
                " current_setting('bench.first_clip')::bigint), 12, '0'))",
            )
        broken += [name for name, holds in rows if not holds]
        return Figure(
            load.tps,
            load.transactions,
            load.cpu_ms,
            tuple(broken),
            {"latency_ms": load.latency_ms, "deciding": decided},
        )

    def settle_everything(self) -> tuple[str, ...]:
        """Post every held reward, then prove the books once more."""
        with self.cluster.connect(DATABASE) as conn:
            while _scalar(conn, "select consensus.settle_due_clips(500)"):
                pass
            held = _scalar(conn, "select count(*) from ledger.holds where state <> 'settled'")
            rows = conn.execute("select check_name, holds from ledger.verify()").fetchall()
        broken = [f"after settling: {name}" for name, holds in rows if not holds]
        if held:
            broken.append(f"after settling: {held} holds are not settled")
        return tuple(broken)

    def hot_updates(self) -> str:
        """Which share of updates stayed within their page."""
        with self.cluster.connect(DATABASE) as conn:
            rows = conn.execute(
                "select format('%s.%s %s %%', schemaname, relname, 100 * n_tup_hot_upd / n_tup_upd)"
                " from pg_stat_user_tables where n_tup_upd > 100 order by 1"
            ).fetchall()
        return "HOT updates: " + ", ".join(row[0] for row in rows)


def _scalar(conn: psycopg.Connection[tuple[object, ...]], statement: str) -> int:
    row = conn.execute(statement.encode()).fetchone()
    assert row is not None
    return int(str(row[0]))
