"""The wheel carries the project's SQL. Everything else about it stands in pyproject.toml."""

from __future__ import annotations

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).resolve().parent
ROOMS = ("migrations", "policies", "sql")
CARRIED = "procrastinate_app/_project"


class BuildWithSql(build_py):
    """Copies the rooms as they stand into the wheel, where procrastinate_app.project finds them.

    An editable install copies nothing: there the checkout is the project.
    """

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        target = Path(self.build_lib, CARRIED)
        shutil.rmtree(target, ignore_errors=True)  # what an earlier build left may be gone by now
        for room in ROOMS:
            for file in sorted((HERE / room).rglob("*.sql")):
                copy = target / file.relative_to(HERE)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, copy)


setup(cmdclass={"build_py": BuildWithSql})
