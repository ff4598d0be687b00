"""Backups of the data directory: one archive, consistent even while the service runs.

The database is copied with SQLite's own backup, which sees one state of it whatever is written
meanwhile. The archive holds the sealing keys and the operator's account, too: keep it as safely.
"""

from __future__ import annotations

import shutil
import sqlite3
import tarfile
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import BinaryIO, Final, cast

from provision.errors import ProvisionError
from provision.store.data_directory import ADDRESS_FILE, KEYS_LOCK_FILE, LOCK_FILE, DataDirectory
from provision.store.private_files import PRIVATE

DATABASE: Final = "provision.db"
PAGES: Final = 256
Progress = Callable[[int, int], None]


class BackupFailed(ProvisionError):
    """The backup could not be made or restored."""

    code = "backup_failed"


def back_up(data: Path, archive: Path, told: Progress) -> tuple[str, ...]:
    """Write the data directory to a new ``archive``; return the names of what it holds.

    ``told`` hears of pages done and pages in all. Raises ``BackupFailed``, and ``StartError`` while
    the sealing keys are being changed.
    """
    if not data.is_dir():
        raise BackupFailed(f"there is no data directory {data}; name it with --data")
    if not archive.absolute().parent.is_dir():
        raise BackupFailed(f"there is no directory {archive.parent}; make it, or name another one")
    if archive.exists():
        raise BackupFailed(f"{archive} exists; choose another name, or remove it")
    try:
        with (
            # Keys that are dropped between the copies of database and keys would be missed.
            DataDirectory(data).holding_keys(),
            tempfile.TemporaryDirectory(prefix="backup-", dir=archive.absolute().parent) as space,
        ):
            files = {each.name: each for each in sorted(data.iterdir()) if _belongs(each)}
            if (data / DATABASE).exists():
                files[DATABASE] = Path(space) / DATABASE
                _copy_database(data / DATABASE, files[DATABASE], told)
            draft = Path(space) / "archive"
            draft.touch(mode=PRIVATE)
            with tarfile.open(draft, "w:gz") as made:
                for name, file in files.items():
                    made.add(file, arcname=name)
            draft.replace(archive)
    except (OSError, sqlite3.Error) as error:
        raise BackupFailed(f"{data} could not be copied to {archive}: {_reason(error)}") from error
    return tuple(sorted(files))


def restore(archive: Path, data: Path, *, overwrite: bool) -> tuple[str, ...]:
    """Put what ``archive`` holds into the data directory; return the names of the files.

    Raises ``BackupFailed``, and ``StartError`` while a service runs on the directory.
    """
    directory = DataDirectory(data)
    directory.prepare()
    try:
        if (data / DATABASE).exists() and not overwrite:
            raise BackupFailed(f"{data} holds a database; add --force to replace it")
        with (
            directory.holding_keys(),
            tempfile.TemporaryDirectory(prefix="restore-", dir=data) as space,
        ):
            names = _extract(archive, Path(space))
            if DATABASE in names:
                _check_database(Path(space) / DATABASE)
                for suffix in ("-wal", "-shm"):
                    (data / f"{DATABASE}{suffix}").unlink(missing_ok=True)
            for name in names:
                (Path(space) / name).chmod(PRIVATE)
                (Path(space) / name).replace(data / name)
    except (OSError, tarfile.TarError, sqlite3.Error) as error:
        raise BackupFailed(
            f"{archive} could not be restored to {data}: {_reason(error)}"
        ) from error
    finally:
        directory.release()
    return names


def _reason(error: Exception) -> str:
    """Return what went wrong, without the names of files that exist only meanwhile."""
    return error.strerror if isinstance(error, OSError) and error.strerror else str(error)


def _belongs(file: Path) -> bool:
    of_a_run = (LOCK_FILE, KEYS_LOCK_FILE, ADDRESS_FILE)
    passing = file.name in of_a_run or file.suffix == ".new" or file.name.startswith(DATABASE)
    return file.is_file() and not passing


def _copy_database(source: Path, target: Path, told: Progress) -> None:
    with (
        closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as live,
        closing(sqlite3.connect(target)) as copy,
    ):
        live.backup(copy, pages=PAGES, progress=lambda _, left, total: told(total - left, total))
    _check_database(target)


def _check_database(file: Path) -> None:
    with closing(sqlite3.connect(file)) as copy:
        ((verdict,),) = copy.execute("PRAGMA integrity_check(1)").fetchall()
    if verdict != "ok":
        raise BackupFailed(f"the copy of the database is damaged: {verdict}")


def _extract(archive: Path, space: Path) -> tuple[str, ...]:
    with tarfile.open(archive, "r:gz") as given:
        members = given.getmembers()
        if strange := [m.name for m in members if not m.isfile() or Path(m.name).name != m.name]:
            raise BackupFailed(f"{archive} is no backup of this service: it has {strange[0]}")
        # Written one by one: ``extractall`` knows no filter before Python 3.11.4.
        for member in members:
            with (space / member.name).open("wb") as file:
                shutil.copyfileobj(cast("BinaryIO", given.extractfile(member)), file)
    return tuple(sorted(each.name for each in members))
