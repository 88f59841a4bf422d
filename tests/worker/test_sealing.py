"""APP-9: the worker seals every minute and keeps the heads outside the database."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from procrastinate_app.tasks.seals import BATCH
from tests.support.callers import Connection, one
from tests.support.running import WorkerProcess
from tests.support.seals import checks, record, seal_by_hand, sealed

StartWorker = Callable[..., WorkerProcess]


def seal_now(conn: Connection) -> None:
    """What the clock defers every minute."""
    conn.execute(
        "select jobs.defer('seals:seal', '{\"timestamp\": 0}', p_queueing_lock => 'seals:seal')"
    )


def heads(worker: WorkerProcess) -> list[dict[str, Any]]:
    return worker.said("seal head")


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    return tmp_path / "heads"


def test_the_worker_seals_and_keeps_each_new_head(
    conn: Connection, start_worker: StartWorker, kept: Path
) -> None:
    """APP-9: in its log and, synced, in the file; each once."""
    record(conn, 10)
    worker = start_worker(seal_file=str(kept)).wait_ready()
    for count in (1, 2):
        seal_now(conn)
        worker.wait_until(lambda n=count: len(heads(worker)) == n)
        record(conn, 1)
    seal_now(conn)
    worker.wait_until(lambda: len(heads(worker)) == 3)
    newest = sealed(conn)[-1]
    lines = [json.loads(line) for line in kept.read_text().splitlines()]
    told = [{key: line[key] for key in lines[0]} for line in heads(worker)]
    assert lines == told
    assert (lines[-1]["seal_no"], lines[-1]["digest"]) == (3, newest["digest"].hex())
    assert checks(conn, f"3:{lines[-1]['digest']}") == []


def test_a_worker_killed_between_seal_and_file_leaves_the_head_to_the_next(
    conn: Connection, start_worker: StartWorker, kept: Path
) -> None:
    """APP-9: what another sealed is written down as well, though nothing is left to seal."""
    record(conn, 4)
    assert one(conn, "select seals.seal(100)") == 4
    worker = start_worker(seal_file=str(kept)).wait_ready()
    seal_now(conn)
    worker.wait_until(kept.exists)
    worker.wait_until(lambda: kept.read_text().endswith("\n"))
    assert json.loads(kept.read_text())["seal_no"] == 1


def test_a_head_that_is_not_in_the_database_any_more_is_reported(
    conn: Connection, start_worker: StartWorker, kept: Path
) -> None:
    """APP-9: the job fails and writes nothing over the evidence."""
    line = json.dumps({"chain": "audit.events", "seal_no": 1, "digest": "0" * 64}) + "\n"
    kept.write_text(line)
    record(conn, 4)
    worker = start_worker(seal_file=str(kept)).wait_ready()
    seal_now(conn)
    failed = worker.wait_until(lambda: worker.said("job failed"))[0]
    assert failed["error"] == "HeadsDisagree"
    assert "seal 1 of audit.events" in failed["error_message"]
    assert kept.read_text() == line
    assert len(sealed(conn)) == 1


def test_no_head_is_kept_over_a_seal_that_leaves_columns_out(
    conn: Connection, start_worker: StartWorker, kept: Path
) -> None:
    """APP-9, R37: the owner may insert one between two runs, with a right digest."""
    record(conn, 4)
    worker = start_worker(seal_file=str(kept)).wait_ready()
    seal_now(conn)
    worker.wait_until(lambda: len(heads(worker)) == 1)
    line = kept.read_text()
    record(conn, 4)
    seal_by_hand(conn, "array['id']")
    seal_now(conn)
    failed = worker.wait_until(lambda: worker.said("job failed"))[0]
    assert failed["error"] == "HeadsDisagree"
    assert "seal 2 leaves out the column at" in failed["error_message"]
    assert kept.read_text() == line
    assert len(heads(worker)) == 1


def test_a_file_that_cannot_be_written_is_reported(
    conn: Connection, start_worker: StartWorker, tmp_path: Path
) -> None:
    """APP-9: sealing goes on; the head waits for the next minute."""
    record(conn, 4)
    worker = start_worker(seal_file=str(tmp_path / "missing" / "heads")).wait_ready()
    seal_now(conn)
    failed = worker.wait_until(lambda: worker.said("job failed"))[0]
    assert failed["error"] == "FileNotFoundError"
    (tmp_path / "missing").mkdir()
    seal_now(conn)
    worker.wait_until(lambda: (tmp_path / "missing" / "heads").exists())


def test_a_backlog_is_sealed_in_one_job_and_writers_who_never_rest_do_not_keep_it(
    conn: Connection, start_worker: StartWorker
) -> None:
    """APP-9: full batches are followed by the next at once, the first that is not full is the
    last."""
    record(conn, 2 * BATCH + 10)
    conn.execute(
        "create function public.tg_write_on() returns trigger language plpgsql as $$ begin"
        " perform audit.record('looked', 'user', 'while it is sealed'); return null; end $$"
    )
    conn.execute(
        "create trigger write_on after insert on seals.batches"
        " for each row execute function public.tg_write_on()"
    )
    worker = start_worker().wait_ready()
    seal_now(conn)
    worker.wait_until(lambda: len(sealed(conn)) >= 3)
    assert [row["row_count"] for row in sealed(conn)][:3] == [BATCH, BATCH, 12]
