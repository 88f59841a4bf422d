"""APP-7, APP-11: which key is tried when, and what a key file may hold."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError
from structlog.testing import capture_logs

from procrastinate_app.secrets import REFUSED_FOR, Keys
from procrastinate_app.settings import Settings


def tried(keys: Keys, *accepted: str) -> list[str]:
    """The keys a call tries until one of these is accepted."""
    found: list[str] = []
    for key in keys.to_try():
        found.append(key.get_secret_value())
        if found[-1] in accepted:
            keys.accepted(key)
            break
        keys.refused(key)
    return found


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "keys"
    path.write_text("new\nold\n")
    return path


def test_the_newest_is_tried_first(file: Path) -> None:
    """APP-7"""
    assert tried(Keys(path=file), "new", "old") == ["new"]


def test_a_refused_key_is_tried_last_for_a_while(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """APP-7: so that a new key not yet known costs one call a minute, not every call."""
    now = 100.0
    monkeypatch.setattr("procrastinate_app.secrets.time.monotonic", lambda: now)
    keys = Keys(path=file)
    assert tried(keys, "old") == ["new", "old"]
    assert tried(keys, "old") == ["old"]
    now += REFUSED_FOR + 1
    assert tried(keys, "new", "old") == ["new"]


def test_the_file_is_read_again_when_it_changes_and_when_all_are_refused(file: Path) -> None:
    """APP-7"""
    keys = Keys(path=file)
    file.write_text("newest\nnew\n")
    assert tried(keys, "newest") == ["newest"]
    found: list[str] = []
    for key in keys.to_try():
        found.append(key.get_secret_value())
        keys.refused(key)
        if len(found) == 2:
            file.write_text("right\n")
        if found[-1] == "right":
            break
    assert found == ["newest", "new", "right"]


def test_all_refused_ends(file: Path) -> None:
    """APP-7: no key is tried twice in one call."""
    assert tried(Keys(path=file)) == ["new", "old"]
    assert tried(Keys.fixed(SecretStr("a\nb\n a \n"))) == ["a", "b"]


@pytest.mark.parametrize(
    "text", ["", " \n\n", "sb_secret_sandbox_x\n", "new2\nsb_secret_sandbox_x"]
)
def test_a_key_file_gone_wrong_changes_nothing(file: Path, text: str) -> None:
    """APP-11: a sandbox key does not slip into production by way of the file; neither shows."""
    keys = Keys(path=file, fits=lambda key: not key.startswith("sb_secret_sandbox_"))
    file.write_text(text)
    with capture_logs() as logs:
        assert tried(keys, "new") == ["new"]
    assert [line["event"] for line in logs] == ["keys not taken"]
    assert "sb_secret" not in str(logs)


def test_a_file_that_is_gone_changes_nothing(file: Path) -> None:
    """APP-7"""
    keys = Keys(path=file)
    file.unlink()
    assert tried(keys, "new") == ["new"]


def test_keys_do_not_show_when_printed(file: Path) -> None:
    """APP-7"""
    keys = Keys(path=file)
    tried(keys)
    assert "new" not in repr(keys).replace(str(file), "")


GOOD = {
    "environment": "production",
    "database_url": "postgresql://u@db.example.org/postgres",
    "supabase_url": "https://x.supabase.co",
}


def test_settings_take_several_keys(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """APP-7"""
    monkeypatch.setenv("HUB_SECRET_KEY_FILE", str(file))
    settings = Settings.model_validate(GOOD)
    assert tried(settings.keys) == ["new", "old"]
    file.write_text("newer\n")
    assert tried(settings.keys) == ["newer"]


@pytest.mark.parametrize("text", ["real\nsb_secret_sandbox_x", "\n"])
def test_settings_refuse_a_sandbox_key_among_them_and_none_at_all(
    file: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    """APP-11"""
    file.write_text(text)
    monkeypatch.setenv("HUB_SECRET_KEY_FILE", str(file))
    with pytest.raises(ValidationError, match=r"sandbox key|is empty"):
        Settings.model_validate(GOOD)
