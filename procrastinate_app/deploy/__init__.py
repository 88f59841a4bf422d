"""Deploying the system into a database, and knowing which schema a database has.

`deploy()` is `hub deploy`. The worker compares `schema_version(conn)` with `latest_version()` and
refuses to start on an older schema.
"""

from procrastinate_app.deploy.check import (
    SchemaTooOld,
    latest_version,
    require_schema,
    schema_version,
)
from procrastinate_app.deploy.run import Deployed, deploy
from procrastinate_app.deploy.session import DeployFailed
from procrastinate_app.deploy.tree import DeployRefused

__all__ = [
    "DeployFailed",
    "DeployRefused",
    "Deployed",
    "SchemaTooOld",
    "deploy",
    "latest_version",
    "require_schema",
    "schema_version",
]
