"""The data directory: the database file, the sealing key, the operator's account, one lock."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path

from bootstrap_core.errors import SealingKeyInvalid
from bootstrap_core.sealing import SealingKey
from bootstrap_core.secret import Secret
from provision.errors import SettingsError, StartError

OPERATOR_FILE = "operator.json"
KEY_FILE = "sealing.keys"
LOCK_FILE = "lock"
PRIVATE = 0o600


class DataDirectory:
    """Files that only this service reads; every one of them is made with mode 0600."""

    def __init__(self, path: Path) -> None:
        """Use ``path``; ``prepare`` makes it."""
        self.path = path
        self._lock: int | None = None

    @property
    def operator_file(self) -> Path:
        """Where the generated operator account is kept."""
        return self.path / OPERATOR_FILE

    def prepare(self) -> None:
        """Make the directory and take its lock.

        Raises ``StartError``: it can't be written to, or another service runs on it.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = os.open(self.path / LOCK_FILE, os.O_RDWR | os.O_CREAT, PRIVATE)
        except OSError as error:
            raise StartError(
                f"the data directory {self.path} can't be used: {error.strerror}; "
                "name another one with --data or MG_PROVISION_DATA"
            ) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(lock)
            raise StartError(
                f"another service runs on the data directory {self.path}: "
                "stop it, or name another directory with --data or MG_PROVISION_DATA"
            ) from error
        self._lock = lock

    def release(self) -> None:
        """Let go of the lock."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def sealing_keys(self, configured: Secret) -> tuple[SealingKey, ...]:
        """Return the configured keys (base64, comma-separated), else those of the key file.

        Without either a key is made and written to the file, one key a line, the first seals.
        Raises ``SettingsError``: a key is not 32 bytes in base64.
        """
        file = self.path / KEY_FILE
        if configured:
            texts, source = configured.reveal().split(","), "MG_PROVISION_SEALING_KEYS"
        else:
            if not file.exists():
                write_private(file, SealingKey.generate().to_text() + "\n")
            texts, source = file.read_text(encoding="utf-8").split(), str(file)
        try:
            return tuple(SealingKey.from_text(each) for each in texts if each.strip())
        except SealingKeyInvalid as error:
            raise SettingsError(f"{source}: {error.message}") from error

    def write_operator(self, username: str, password: Secret, domain_id: str) -> None:
        """Keep the generated operator account for whoever installed the service."""
        account = {"username": username, "password": password.reveal(), "domain_id": domain_id}
        write_private(self.operator_file, json.dumps(account, indent=2) + "\n")

    def read_operator(self) -> dict[str, str]:
        """Return the generated operator account; empty where there is none."""
        if not self.operator_file.exists():
            return {}
        account: dict[str, str] = json.loads(self.operator_file.read_text(encoding="utf-8"))
        return account


def write_private(file: Path, text: str) -> None:
    """Write a file that only its owner reads; it is there whole or not at all."""
    draft = file.with_name(file.name + ".new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    draft.replace(file)
