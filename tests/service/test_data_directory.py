"""What is kept in the data directory is copied and read whatever the directory is called."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bootstrap_core.secrets import SealingKey
from provision.maintenance.backup import DATABASE, back_up, restore
from provision.store.key_file import KeyFile
from tests.service.running import embedded


@pytest.mark.parametrize("name", ["data#1", "data?mode=rwc", "data%20"])
def test_a_directory_of_any_name_is_backed_up(tmp_path: Path, name: str) -> None:
    data, archive, other = tmp_path / name, tmp_path / "archive", tmp_path / "other"
    data.mkdir()
    with closing(sqlite3.connect(data / DATABASE)) as made, made:
        made.execute("CREATE TABLE things (name TEXT)")
        made.execute("INSERT INTO things VALUES ('kept')")
    assert DATABASE in back_up(data, archive, lambda _done, _all: None)
    restore(archive, other, overwrite=False)
    with closing(sqlite3.connect(other / DATABASE)) as restored:
        assert restored.execute("SELECT name FROM things").fetchall() == [("kept",)]


def modes(directory: Path) -> dict[str, str]:
    return {file.name: f"{file.stat().st_mode & 0o777:o}" for file in directory.iterdir()}


@pytest.mark.sqlite("a PostgreSQL server keeps its files itself")
async def test_the_database_is_its_owners_alone_in_a_directory_that_was_there(
    tmp_path: Path,
) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o755)
    before = os.umask(0o022)
    try:
        async with embedded(data) as running:
            await running.map("gw-1")
            assert set(modes(data).values()) == {"600"}
            assert {"provision.db", "provision.db-wal", "provision.db-shm"} <= set(modes(data))
        (data / "provision.db").chmod(0o644)
        async with embedded(data):
            assert set(modes(data).values()) == {"600"}
    finally:
        os.umask(before)


def test_keys_that_cannot_be_read_just_now_are_read_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served, administrator = KeyFile(tmp_path / "keys"), KeyFile(tmp_path / "keys")
    first = served.read()
    fresh = SealingKey.generate()
    administrator.write([fresh, *first])

    def refuse(*_: object, **__: object) -> str:
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_text", refuse)
        assert served.changed() == ()
    assert served.changed() == (fresh, *first)
    assert served.changed() == ()
