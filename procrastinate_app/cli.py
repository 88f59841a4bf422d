"""The `hub` command. Each group of commands lives beside what it commands."""

from __future__ import annotations

from importlib import import_module

import typer

from procrastinate_app.commands import need_checkout

app = typer.Typer(
    name="hub",
    help="Hybrid Hub: SQL decides, Python delivers.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

COMMANDS = (
    "procrastinate_app.deploy.cli",
    "procrastinate_app.deploy.bundle_cli",
    "procrastinate_app.worker_cli",
    "procrastinate_app.doctor.cli",
    "procrastinate_app.jobs_cli",
    "procrastinate_app.seals_cli",
    "procrastinate_app.secrets_cli",
    "procrastinate_app.local.cli",
    "procrastinate_app.local.demo.cli",
    "procrastinate_app.bench_cli",
)
for module in COMMANDS:
    import_module(module).register(app)

# They read docs/, tests/ or benchmarks/, or start programs that only `make install` brings.
CHECKOUT_ONLY = ("bench", "demo", "reference", "rules", "schema", "types", "up")


@app.callback()
def _begin(context: typer.Context) -> None:
    if context.invoked_subcommand in CHECKOUT_ONLY:
        need_checkout(f"hub {context.invoked_subcommand}")
