"""Files that are there whole or not at all, and those that only their owner may read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

PRIVATE: Final = 0o600
OTHERS: Final = 0o077
USUAL: Final = 0o666
"""Less what the process's umask takes away."""


def make_private(file: Path) -> None:
    """Make a file, empty where there is none, that only its owner reads.

    One that is there is not opened: closing a file lets go of the locks that SQLite has on it.
    Raises ``OSError``: it can't be made, or belongs to somebody else and others may read it.
    """
    try:
        os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE))
    except FileExistsError:
        if file.stat().st_mode & OTHERS:
            file.chmod(PRIVATE)


def write_private(file: Path, text: str) -> None:
    """Write a file that only its owner reads, as ``write_whole`` does."""
    write_whole(file, text, PRIVATE)


def write_whole(file: Path, text: str, mode: int = USUAL) -> None:
    """Write a file with these permissions; it is there whole or not at all, after a crash too.

    A file that is replaced keeps its owner where the system lets us: a service must be able to
    read what its administrator changed.
    """
    draft = file.with_name(file.name + ".new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        if os.geteuid() == 0 and file.exists():
            owner = file.stat()
            os.fchown(descriptor, owner.st_uid, owner.st_gid)
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    draft.replace(file)
    directory = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
