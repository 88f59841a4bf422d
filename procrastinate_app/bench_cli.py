"""`hub bench`: speed, measured side by side. The benches live in benchmarks/ at the root."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from procrastinate_app.project import PROJECT_ROOT

PAGE = PROJECT_ROOT / "docs" / "benchmarks.md"


def register(app: typer.Typer) -> None:
    """Add `hub bench` to `hub`."""
    app.command()(bench)


def bench(
    name: Annotated[str | None, typer.Argument(help="Which bench; --list names them.")] = None,
    list_: Annotated[bool, typer.Option("--list", help="Name the benches.")] = False,
    all_: Annotated[
        bool, typer.Option("--all", help="Run all and write docs/benchmarks.md.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print each round's figures as JSON.")
    ] = False,
    rounds: Annotated[int | None, typer.Option(min=1, help="Rounds after the warm-up.")] = None,
    seconds: Annotated[int | None, typer.Option(min=1, help="Seconds per arm and round.")] = None,
    scale: Annotated[
        float | None,
        typer.Option(min=0.001, max=1, help="Part of the full size; targets are for 1."),
    ] = None,
) -> None:
    """Measure speed against targets, arms side by side on one server.

    Ends with 1 when an invariant failed; a missed target is reported, not an error.
    """
    # benchmarks/ stands beside the package, not in it: a worker's image has no use for it.
    if str(PROJECT_ROOT) not in sys.path:
        sys.path.insert(0, str(PROJECT_ROOT))
    from benchmarks import machine, report
    from benchmarks.harness import Options
    from benchmarks.registry import BENCHES

    if list_:
        for one in BENCHES.values():
            typer.echo(f"{one.name:10} {one.title}")
        return
    if all_ == (name is not None):
        raise typer.BadParameter("name one bench, or say --all")
    if name is not None and name not in BENCHES:
        raise typer.BadParameter(f"no bench is called {name}; there are {', '.join(BENCHES)}")

    usual = Options()
    options = Options(
        rounds=rounds or usual.rounds,
        seconds=seconds or usual.seconds,
        scale=scale or usual.scale,
    )
    results = []
    for one in BENCHES.values():
        if name in (None, one.name):
            typer.echo(f"{one.name}: {one.title}", err=True)
            results.append(one.run(options))
    if as_json:
        typer.echo(json.dumps(report.as_json(results, machine.here()), indent=2))
    else:
        typer.echo("\n\n".join(report.as_text(result) for result in results))
    if any(result.all_broken for result in results):
        raise typer.Exit(1)
    if all_:
        PAGE.write_text(report.as_page(results, machine.here()))
        typer.echo(f"wrote {PAGE.relative_to(PROJECT_ROOT)}", err=True)
