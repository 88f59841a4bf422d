"""Clips and votes through the doors, as clients make them."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from tests.support.callers import Connection, as_user, call


def submit(
    conn: Connection,
    author: UUID,
    *,
    kind: str = "voice",
    language: str = "sw",
    duration_ms: int = 1000,
    prompt: str | None = "Habari ya asubuhi",
    transcript: str | None = None,
    media_path: str | None = None,
    idempotency_key: str | None = None,
) -> UUID:
    """Submit a clip as its author; gives its id."""
    with as_user(conn, author):
        rows = call(
            conn,
            "submit_clip",
            kind=kind,
            language=language,
            media_path=media_path or f"{author}/{uuid4()}.ogg",
            duration_ms=duration_ms,
            prompt=prompt,
            transcript=transcript,
            idempotency_key=idempotency_key,
        )
    return UUID(str(rows[0][0]))


def vote(conn: Connection, voter: UUID, clip: UUID, label: str = "valid") -> dict[str, Any]:
    """Cast a vote; gives the outcome by field name."""
    with as_user(conn, voter):
        cursor = conn.execute("select * from public.cast_vote(%s, %s)", [clip, label])
        row = cursor.fetchone()
        assert row is not None
        assert cursor.description is not None
        return {column.name: value for column, value in zip(cursor.description, row, strict=True)}
