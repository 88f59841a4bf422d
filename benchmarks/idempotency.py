"""idempotency: what a key costs the door it guards."""

from __future__ import annotations

from benchmarks.cluster import HERE, Cluster, run_script, running
from benchmarks.harness import Arm, Comparison, Figure, Options, Result, run_rounds

NAME = "idempotency"
TITLE = "submit_clip with an idempotency key against without"
TARGET = 0.85
CLIENTS = (1, 16)
PEOPLE = 1000
DATABASE = "idempotency"

INVARIANTS = (
    "no refused call, no deadlock",
    "as many clips as acknowledged calls",
    "with keys, as many stored answers; without, none",
)


def run(options: Options) -> Result:
    """Every call is a new clip; keys are new too, so that each is claimed and stored."""
    people = max(50, round(PEOPLE * options.scale))
    with running(canary_scale=max(1, round(20 * options.scale))) as cluster:
        bench = _Idempotency(cluster, options, people)
        arms: list[Arm] = []
        comparisons: list[Comparison] = []
        for clients in CLIENTS:
            many = f"{clients} client" + "s" * (clients > 1)
            keyed, plain = f"with a key, {many}", f"without, {many}"
            arms.append(bench.arm(keyed, clients, keyed=True))
            arms.append(bench.arm(plain, clients, keyed=False))
            comparisons += [
                Comparison(f"with / without a key at {many}", keyed, plain, at_least=TARGET),
                Comparison(f"CPU without / with a key at {many}", plain, keyed, of_cpu=True),
            ]
        canary_seconds = (options.seconds + 1) // 2
        rounds = run_rounds(arms, options, lambda: cluster.canary(8, canary_seconds))
        return Result(
            NAME,
            TITLE,
            workload=(
                f"submit_clip by {people} people as the API calls it, prepared statements; limits"
                " are on and larger than any run.",
                "with a key: each call claims a new one and stores its answer. without: the same"
                " call, idempotency_key null.",
            ),
            arms=tuple(arms),
            comparisons=tuple(comparisons),
            rounds=rounds,
            invariants=INVARIANTS,
        )


class _Idempotency:
    """The database the clips go into."""

    def __init__(self, cluster: Cluster, options: Options, people: int) -> None:
        self.cluster = cluster
        self.options = options
        self.sizes = {"people": people}
        self.arms_run = 0
        cluster.clone(DATABASE)
        with cluster.connect(DATABASE) as conn:
            run_script(conn, "idempotency.sql", self.sizes)

    def arm(self, name: str, clients: int, *, keyed: bool) -> Arm:
        return Arm(name, "clips/s", lambda _: self._measure(clients, keyed=keyed))

    def _measure(self, clients: int, *, keyed: bool) -> Figure:
        self.arms_run += 1
        self.cluster.settle(DATABASE)
        clips, answers = self._count()
        deadlocks = self.cluster.deadlocks(DATABASE)
        load = self.cluster.pgbench(
            DATABASE,
            HERE / "idempotency.pgbench",
            clients=clients,
            seconds=self.options.seconds,
            variables={**self.sizes, "n": 0, "arm": self.arms_run, "keyed": int(keyed)},
        )
        broken = [load.error] if load.error else []
        if self.cluster.deadlocks(DATABASE) > deadlocks:
            broken.append("a deadlock")
        new_clips, new_answers = self._count()
        if new_clips - clips != load.transactions:
            broken.append(f"{new_clips - clips} clips for {load.transactions} calls")
        if new_answers - answers != (load.transactions if keyed else 0):
            broken.append(f"{new_answers - answers} stored answers for {load.transactions} calls")
        return Figure(load.tps, load.transactions, load.cpu_ms, tuple(broken))

    def _count(self) -> tuple[int, int]:
        """Clips and stored answers there are."""
        with self.cluster.connect(DATABASE) as conn:
            row = conn.execute(
                "select (select count(*) from public.clips),"
                " (select count(*) from app.idempotency_keys where response is not null)"
            ).fetchone()
        assert row is not None
        return int(row[0]), int(row[1])
