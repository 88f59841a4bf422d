"""Where the project stands: the folder of migrations/, sql/ and policies/.

In a checkout that is its root, with docs/ and the tests beside them. An installed wheel carries
a copy of these three, and nothing of the rest.
"""

from __future__ import annotations

from pathlib import Path

_CARRIED = Path(__file__).resolve().with_name("_project")

IS_CHECKOUT = not _CARRIED.is_dir()
PROJECT_ROOT = Path(__file__).resolve().parents[1] if IS_CHECKOUT else _CARRIED
