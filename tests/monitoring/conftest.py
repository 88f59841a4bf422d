"""The real worker, as in tests/worker."""

from tests.worker.conftest import conn, sandbox, sandbox_process, start_worker, workers

__all__ = ["conn", "sandbox", "sandbox_process", "start_worker", "workers"]
