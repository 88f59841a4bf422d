"""Lock files: `python -m procrastinate_app.local.locks write | verify`.

They pin versions and hashes and name no registry, so every machine installs through its own
configuration. Writing and verifying ask that machine's own index, as pip and npm know it.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable
from difflib import unified_diff
from pathlib import Path
from typing import Any

from procrastinate_app.local.errors import LocalError
from procrastinate_app.local.node import find_npm, npm_environment
from procrastinate_app.project import PROJECT_ROOT

REQUIREMENTS = PROJECT_ROOT / "requirements"
PACKAGE_LOCK = PROJECT_ROOT / "package-lock.json"
ADDRESS = re.compile(r"[a-z+]+://", re.IGNORECASE)
UNREACHABLE = re.compile(r"connect|dns|network|offline|timed? ?out|ENOTFOUND|EAI_AGAIN", re.I)
PIP_SOURCES = {
    "index-url": "--index-url",
    "extra-index-url": "--extra-index-url",
    "find-links": "--find-links",
}


class LockError(LocalError):
    """A lock file is stale, names an address, or could not be made."""


class Unreachable(LockError):
    """The registry did not answer, so nothing can be said."""


def generated() -> dict[Path, str]:
    """Every lock file as it should be: the committed versions, unless the requirements moved."""
    project = PROJECT_ROOT / "pyproject.toml"
    said = tomllib.loads(project.read_text())
    node, build = said["project"]["optional-dependencies"]["node"], said["build-system"]["requires"]
    return {
        REQUIREMENTS / "build.lock": _compiled("build.lock", ["-"], stdin="\n".join(build)),
        REQUIREMENTS / "runtime.lock": _compiled("runtime.lock", [str(project)]),
        REQUIREMENTS / "dev.lock": _compiled("dev.lock", ["--extra", "dev", str(project)]),
        REQUIREMENTS / "node.lock": _compiled("node.lock", ["-"], stdin="\n".join(node)),
        **{path: _package_lock(path.parent) for path in package_locks()},
    }


def package_locks() -> list[Path]:
    """npm's lock files: the project's, and one for each Postgres that may be fetched."""
    pins = sorted(REQUIREMENTS.glob("postgres-*/package.json"))
    return [PACKAGE_LOCK, *(path.with_name("package-lock.json") for path in pins)]


def _compiled(name: str, sources: list[str], stdin: str | None = None) -> str:
    """One requirements file, resolved from the committed one so that nothing moves by itself."""
    command = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--universal"]
    command += ["--python-version", "3.11", "--generate-hashes", "--no-header"]
    # pip treats all its indexes alike, so does this.
    command += ["--no-emit-index-url", "--no-emit-find-links"]
    command += ["--index-strategy", "unsafe-best-match"]
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / name
        committed = REQUIREMENTS / name
        if committed.exists():
            output.write_text(committed.read_text())
        _run([*command, *_pip_sources(), *sources, "--output-file", str(output)], stdin=stdin)
        return output.read_text()


def _pip_sources() -> list[str]:
    """Where this machine's pip looks: uv does not read pip's configuration."""
    said = _run([sys.executable, "-m", "pip", "config", "list"])
    options: list[str] = []
    for name, option in PIP_SOURCES.items():
        for value in re.findall(
            rf"^(?:global|user|install|site|:env:)\.{name}='(.*)'$", said, re.M
        ):
            for one in value.replace("\\n", " ").split():
                options += [option, one]
    return options


def _package_lock(home: Path) -> str:
    with tempfile.TemporaryDirectory() as folder:
        for name in ("package.json", "package-lock.json"):
            if (home / name).exists():
                (Path(folder) / name).write_text((home / name).read_text())
        command = ["install", "--package-lock-only", "--ignore-scripts", "--no-audit", "--no-fund"]
        _run([*find_npm(), *command], cwd=Path(folder), env=npm_environment())
        lock = json.loads((Path(folder) / "package-lock.json").read_text())
    return json.dumps(_without_addresses(lock), indent=2, ensure_ascii=False) + "\n"


def _without_addresses(lock: dict[str, Any]) -> dict[str, Any]:
    for package in lock["packages"].values():
        for name in ("resolved", "funding"):
            package.pop(name, None)
    return lock


def write(report: Callable[[str], None]) -> None:
    """Bring every lock file up to date."""
    for path, text in generated().items():
        _refuse_addresses(path, text)
        path.write_text(text)
        report(f"wrote {path.relative_to(PROJECT_ROOT)}")


def verify(report: Callable[[str], None]) -> None:
    """Refuse addresses in lock files, and lock files that requirements have left behind."""
    for path in (*REQUIREMENTS.glob("*.lock"), *package_locks()):
        _refuse_addresses(path, path.read_text())
    try:
        wanted = generated()
    except Unreachable as error:
        report(f"lock files name no address; not compared with their requirements: {error}")
        return
    stale = False
    for path, text in wanted.items():
        name = str(path.relative_to(PROJECT_ROOT))
        committed = path.read_text().splitlines(keepends=True)
        for line in unified_diff(committed, text.splitlines(keepends=True), name, "generated"):
            stale = True
            sys.stderr.write(line)
    if stale:
        raise LockError("Lock files are stale: run `make lock`.")
    report("lock files are up to date and name no address")


def _refuse_addresses(path: Path, text: str) -> None:
    found = [line.strip() for line in text.splitlines() if ADDRESS.search(line)]
    if found:
        raise LockError(f"{path.name} names an address: {found[0]}")


def _run(
    command: list[str],
    *,
    stdin: str | None = None,
    cwd: Path = PROJECT_ROOT,
    env: dict[str, str] | None = None,
) -> str:
    done = subprocess.run(command, input=stdin, cwd=cwd, env=env, capture_output=True, text=True)
    if done.returncode == 0:
        return done.stdout
    said = done.stderr.strip()[-1000:]
    raise (Unreachable if UNREACHABLE.search(said) else LockError)(said)


def main() -> int:
    try:
        {"write": write, "verify": verify}[sys.argv[1]](print)
    except LockError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
