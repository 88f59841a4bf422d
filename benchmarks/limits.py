"""limits: what counting a call costs the cheapest limited door."""

from __future__ import annotations

from benchmarks.cluster import HERE, Cluster, run_script, running
from benchmarks.harness import Arm, Comparison, Figure, Options, Result, run_rounds

NAME = "limits"
TITLE = "The cheapest limited door, with its limits against without"
TARGET = 0.90
CLIENTS = (1, 16)
PEOPLE, CLIPS, ADDRESSES = 1000, 100, 20
DATABASE = "limits"
DOOR = "skip_clip"
SWITCHES = {
    "limited": True,
    "not limited": False,
    "not even asked": None,
}
RULES = (
    "insert into limits.rules (door, scope, burst, period) select %(door)s, s, 8000000, '1 day'"
    " from unnest(enum_range(null::limits.scope)) as s"
)
NOTHING = (
    b"create or replace function limits.spend(p_door text) returns void language plpgsql"
    b" set search_path = pg_catalog, pg_temp as $$ begin end $$"
)

INVARIANTS = (
    "no refused call, no deadlock",
    "with limits every call was counted, for its person and for its address; without, none was",
)


def run(options: Options) -> Result:
    """Put the door's two rows of limits.rules, and limits.spend itself, in and out between arms."""
    people = max(50, round(PEOPLE * options.scale))
    with running(canary_scale=max(1, round(20 * options.scale))) as cluster:
        bench = _Limits(cluster, options, people)
        arms: list[Arm] = []
        comparisons: list[Comparison] = []
        for clients in CLIENTS:
            many = f"{clients} client" + "s" * (clients > 1)
            names = {switch: f"{name}, {many}" for name, switch in SWITCHES.items()}
            arms += [bench.arm(name, clients, switch) for switch, name in names.items()]
            comparisons += [
                Comparison(
                    f"limited / not limited at {many}", names[True], names[False], at_least=TARGET
                ),
                Comparison(f"limited / not even asked at {many}", names[True], names[None]),
                Comparison(
                    f"CPU not even asked / limited at {many}", names[None], names[True], of_cpu=True
                ),
            ]
        canary_seconds = (options.seconds + 1) // 2
        rounds = run_rounds(arms, options, lambda: cluster.canary(8, canary_seconds))
        return Result(
            NAME,
            TITLE,
            workload=(
                "skip_clip of a clip skipped before: of all limited doors the one that does least."
                f" {people} people behind {ADDRESSES} addresses, each call with a browser's"
                " headers. Prepared statements.",
                "limited: two rows in limits.rules, larger than any run, so that each call takes"
                " from two buckets. not limited: no rows. not even asked: limits.spend is empty.",
            ),
            arms=tuple(arms),
            comparisons=tuple(comparisons),
            rounds=rounds,
            invariants=INVARIANTS,
            notes=(bench.hot_updates(),),
        )


class _Limits:
    """The database, and the switch."""

    def __init__(self, cluster: Cluster, options: Options, people: int) -> None:
        self.cluster = cluster
        self.options = options
        self.sizes = {"people": people, "clips": CLIPS}
        cluster.clone(DATABASE)
        with cluster.connect(DATABASE) as conn:
            run_script(conn, "limits.sql", self.sizes)
            row = conn.execute(
                "select pg_get_functiondef('limits.spend(text)'::regprocedure)"
            ).fetchone()
        assert row is not None
        self.spend = str(row[0]).encode()

    def arm(self, name: str, clients: int, switch: bool | None) -> Arm:
        """switch: with rules, without, or None for an empty limits.spend."""
        return Arm(name, "calls/s", lambda _: self._measure(clients, switch))

    def _measure(self, clients: int, switch: bool | None) -> Figure:
        with self.cluster.connect(DATABASE) as conn:
            conn.execute(NOTHING if switch is None else self.spend)
            conn.execute("delete from limits.rules where door = %s", [DOOR])
            if switch:
                conn.execute(RULES, {"door": DOOR})
        self.cluster.settle(DATABASE)
        before = self._counted()
        deadlocks = self.cluster.deadlocks(DATABASE)
        load = self.cluster.pgbench(
            DATABASE,
            HERE / "limits.pgbench",
            clients=clients,
            seconds=self.options.seconds,
            variables={**self.sizes, "addresses": ADDRESSES},
        )
        broken = [load.error] if load.error else []
        if self.cluster.deadlocks(DATABASE) > deadlocks:
            broken.append("a deadlock")
        counted = self._counted() - before
        if counted != (2 * load.transactions if switch else 0):
            broken.append(f"{counted} calls counted of {load.transactions}")
        return Figure(load.tps, load.transactions, load.cpu_ms, tuple(broken))

    def _counted(self) -> int:
        """Updates and inserts of buckets so far: one for each call and scope."""
        with self.cluster.connect(DATABASE) as conn:
            conn.execute("select pg_stat_force_next_flush()")
            row = conn.execute(
                "select n_tup_ins + n_tup_upd from pg_stat_user_tables"
                " where relid = 'limits.buckets'::regclass"
            ).fetchone()
        assert row is not None
        return int(row[0])

    def hot_updates(self) -> str:
        """Which share of the buckets' updates stayed within their page."""
        with self.cluster.connect(DATABASE) as conn:
            row = conn.execute(
                "select round(100.0 * n_tup_hot_upd / greatest(n_tup_upd, 1), 1)"
                " from pg_stat_user_tables where relid = 'limits.buckets'::regclass"
            ).fetchone()
        return f"HOT updates of limits.buckets: {row[0] if row else 0} %"
