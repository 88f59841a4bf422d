"""Where a project does not let `postgres` manage policies on realtime.messages."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest

from procrastinate_app.deploy import DeployFailed, deploy
from procrastinate_app.local import hosted, postgres


def test_all_else_is_deployed_and_the_next_deploy_goes_on(
    platform: postgres.Server, new_project: Callable[[], str]
) -> None:
    url = new_project()
    name = str(psycopg.conninfo.conninfo_to_dict(url)["dbname"])
    with psycopg.connect(platform.url(name, hosted.ADMIN), autocommit=True) as admin:
        admin.execute("alter table realtime.messages owner to supabase_admin")

        with pytest.raises(DeployFailed, match=r"policies/realtime/messages\.sql.*must be owner"):
            deploy(url)
        admin.execute("alter table realtime.messages owner to supabase_realtime_admin")

    assert deploy(url).files == ["policies/realtime/messages.sql"]
