"""APP-11: a deploy that names its environment keeps away from a database of another one."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from procrastinate_app.cli import app
from tests.support.callers import one
from tests.support.databases import FreshDatabase


def deploy(
    database: FreshDatabase, monkeypatch: pytest.MonkeyPatch, environment: str
) -> tuple[int, str]:
    monkeypatch.setenv("HUB_ENVIRONMENT", environment)
    done = CliRunner().invoke(app, ["deploy", "--database-url", database.url])
    return done.exit_code, done.output


def test_the_first_deploy_stamps_and_others_are_refused(
    fresh_db: FreshDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    stamped = "select environment from settings.deployment"
    with fresh_db.connect() as owner:
        assert deploy(fresh_db, monkeypatch, "")[0] == 0
        assert one(owner, stamped) is None
        assert deploy(fresh_db, monkeypatch, "production")[0] == 0
        assert one(owner, stamped) == "production"
        code, said = deploy(fresh_db, monkeypatch, "test")
        assert code == 1
        assert "belongs to production" in said
        assert one(owner, stamped) == "production"
        assert deploy(fresh_db, monkeypatch, "production")[0] == 0
