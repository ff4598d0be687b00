"""The file of the sealing keys: one key a line in base64, the one that seals first."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

from attrs import define, field

from bootstrap_core.errors import SealingKeyInvalid
from bootstrap_core.secrets import SealingKey
from provision.errors import SettingsError
from provision.store.private_files import write_private


def read_keys(texts: Sequence[str], source: str) -> tuple[SealingKey, ...]:
    """Return the keys that ``texts`` hold, blank ones left out.

    Raises ``SettingsError``, which names ``source``: a key is not 32 bytes in base64.
    """
    try:
        return tuple(SealingKey.from_text(each) for each in texts if each.strip())
    except SealingKeyInvalid as error:
        raise SettingsError(f"{source}: {error.message}") from error


@define
class KeyFile:
    """Reads and writes the file; a running service sees at once what another process wrote."""

    path: Path
    _seen: tuple[int, ...] = field(default=(), init=False)

    def read(self) -> tuple[SealingKey, ...]:
        """Return the keys; without a file one is made, and the file with it.

        Raises ``SettingsError``: the file can't be read, or something in it is no key.
        """
        if not self.path.exists():
            self.write([SealingKey.generate()])
        try:
            return self._load()
        except OSError as error:
            raise SettingsError(
                f"{self.path} can't be read: {error.strerror}; run this as the user that the "
                "service runs as"
            ) from error

    def write(self, keys: Sequence[SealingKey]) -> None:
        """Put ``keys`` in place of those in the file, all at once."""
        write_private(self.path, "".join(f"{each.to_text()}\n" for each in keys))

    def changed(self) -> tuple[SealingKey, ...]:
        """Return all keys if the file is another one than was last seen, else none.

        A file that is gone or can't be used tells nothing: the keys that are known go on serving.
        """
        with contextlib.suppress(OSError, SettingsError):
            if self._state() != self._seen:
                return self._load()
        return ()

    def _load(self) -> tuple[SealingKey, ...]:
        # Looked at first: what is written while it is read is another state.
        state = self._state()
        keys = read_keys(self.path.read_text(encoding="utf-8").split(), str(self.path))
        self._seen = state
        return keys

    def _state(self) -> tuple[int, ...]:
        state = os.stat(self.path)  # noqa: PTH116 - asked before every sealing: the quick way
        return state.st_ino, state.st_mtime_ns, state.st_size
