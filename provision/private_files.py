"""Files that only their owner may read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

PRIVATE: Final = 0o600


def write_private(file: Path, text: str) -> None:
    """Write a file that only its owner reads; it is there whole or not at all, after a crash too.

    A file that is replaced keeps its owner where the system lets us: a service must be able to
    read what its administrator changed.
    """
    draft = file.with_name(file.name + ".new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE)
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
