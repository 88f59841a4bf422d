"""Results as text, as JSON, and as the page the docs show."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from benchmarks.harness import Figure, Result, Verdict
from benchmarks.machine import Machine

NOTHING = "-"

METHOD = """\
Speed is measured side by side on one server in one run, never across runs. `make bench` writes
this page; `hub bench NAME --json` gives each round's figures. Arms take turns over several rounds,
every other round the other way round; the first round is a warm-up and dropped. fsync and
synchronous_commit are on; every arm starts after a checkpoint with fresh statistics. The canary is
`pgbench -N` on the same server before and after each round: a round during which it moved by more
than a fifth is dropped too, unless fewer than half would remain. Ratios are taken round by round;
shown is their median with the least and the greatest. Invariants are checked after each arm; one
that fails voids it.
"""


def as_json(results: Sequence[Result], machine: Machine) -> dict[str, Any]:
    """Everything, each round's figures included."""
    return {"machine": asdict(machine), "benches": [_bench_json(r) for r in results]}


def as_text(result: Result) -> str:
    """For the terminal."""
    lines = [f"{result.name}: {result.title}", ""]
    lines += _aligned(_arm_table(result))
    lines.append("")
    lines += _aligned(_verdict_table(result))
    lines.append("")
    lines += _remarks(result)
    return "\n".join(lines)


def as_page(results: Sequence[Result], machine: Machine) -> str:
    """docs/benchmarks.md"""
    parts = ["# Benchmarks", METHOD, _markdown([("Measured on", ""), *asdict(machine).items()])]
    for result in results:
        parts.append(f"## {result.name}: {result.title}")
        parts.append("\n".join(f"- {line}" for line in result.workload))
        parts.append(_markdown(_arm_table(result)))
        parts.append(_markdown(_verdict_table(result)))
        parts.append("\n".join(f"- {line}" for line in _remarks(result)))
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _arm_table(result: Result) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [
        ("arm", "median", "least", "greatest", "unit", "server CPU ms each", "measured")
    ]
    for arm in result.arms:
        figures = [r.figures[arm.name] for r in result.counted]
        values = [f.value for f in figures]
        cpu = result.middle(arm.name, lambda f: f.cpu_ms)
        rows.append(
            (
                arm.name,
                _number(result.middle(arm.name, lambda f: f.value)),
                _number(min(values, default=None)),
                _number(max(values, default=None)),
                arm.unit,
                f"{cpu:.3f}" if cpu is not None else NOTHING,
                f"{sum(f.operations for f in figures):,}",
            )
        )
    return rows


def _verdict_table(result: Result) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [("compared", "median", "least", "greatest", "target", "verdict")]
    for verdict in result.verdicts:
        low, high = min(verdict.values, default=None), max(verdict.values, default=None)
        rows.append(
            (
                verdict.comparison.name,
                _number(verdict.middle),
                _number(low),
                _number(high),
                _target(verdict),
                _judged(verdict),
            )
        )
    return rows


def _remarks(result: Result) -> list[str]:
    measured = len(result.rounds) - 1
    lines = [f"{len(result.counted)} of {measured} rounds count, after a warm-up."]
    if any(r.canary for r in result.rounds):
        canary = [v for r in result.rounds[1:] if r.canary for v in r.canary]
        kept = ", kept because too few would remain" if len(result.counted) == measured else ""
        lines.append(
            f"Canary {min(canary):,.0f} to {max(canary):,.0f} tx/s; it moved too far in"
            f" {result.unsteady} {'round' if result.unsteady == 1 else 'rounds'}"
            f"{kept if result.unsteady else ''}."
        )
    lines += result.notes
    if result.all_broken:
        lines += [f"BROKEN: {what}" for what in result.all_broken]
    else:
        lines.append("Held after every arm: " + "; ".join(result.invariants) + ".")
    return lines


def _target(verdict: Verdict) -> str:
    if verdict.comparison.at_least is not None:
        return f"≥ {_number(verdict.comparison.at_least)}"
    if verdict.comparison.at_most is not None:
        return f"≤ {_number(verdict.comparison.at_most)}"
    return NOTHING


def _judged(verdict: Verdict) -> str:
    if verdict.missing is None:
        return "void"
    if _target(verdict) == NOTHING:
        return NOTHING
    return "met" if verdict.is_met else f"short by {_number(verdict.missing)}"


def _number(value: float | None) -> str:
    if value is None:
        return NOTHING
    return (
        f"{value:,.0f}"
        if abs(value) >= 1000
        else f"{value:.1f}"
        if abs(value) >= 10
        else f"{value:.3f}"
    )


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    return [
        "  "
        + "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _markdown(rows: Iterable[tuple[str, ...]]) -> str:
    head, *body = list(rows)
    return "\n".join(_row(r) for r in (head, ("---",) * len(head), *body))


def _row(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cells) + " |"


def _bench_json(result: Result) -> dict[str, Any]:
    return {
        "name": result.name,
        "title": result.title,
        "workload": result.workload,
        "arms": [
            {
                "name": arm.name,
                "unit": arm.unit,
                "median": result.middle(arm.name, lambda f: f.value),
                "cpu_ms_each": result.middle(arm.name, lambda f: f.cpu_ms),
            }
            for arm in result.arms
        ],
        "rounds": [
            {
                "number": r.number,
                "is_warm_up": r.number == 0,
                "counts": r in result.counted,
                "canary": r.canary,
                "figures": {name: _figure_json(f) for name, f in r.figures.items()},
            }
            for r in result.rounds
        ],
        "comparisons": [
            {
                **asdict(v.comparison),
                "per_round": v.values,
                "median": v.middle,
                "least": min(v.values, default=None),
                "greatest": max(v.values, default=None),
                "is_met": v.is_met,
                "missing": v.missing,
            }
            for v in result.verdicts
        ],
        "unsteady_rounds": result.unsteady,
        "invariants": result.invariants,
        "broken": result.all_broken,
        "notes": result.notes,
    }


def _figure_json(figure: Figure) -> dict[str, Any]:
    return asdict(figure)
