"""Where the project stands: the folder of migrations/, sql/, policies/ and docs/."""

from __future__ import annotations

from pathlib import Path

PROJECT_ROOT = Path(__file__).resolve().parents[1]
