"""The data directory: the database file, the sealing key, the operator's account, one lock."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path

from bootstrap_core.secrets import Sealer, Secret
from provision.errors import SettingsError, StartError
from provision.store.key_file import KeyFile, read_keys
from provision.store.private_files import PRIVATE, write_private

OPERATOR_FILE = "operator.json"
KEY_FILE = "sealing.keys"
KEYS_SETTING = "MG_PROVISION_SEALING_KEYS"
ADDRESS_FILE = "address"
LOCK_FILE = "lock"
KEYS_LOCK_FILE = "keys.lock"


class DataDirectory:
    """Files that only this service reads; every one of them is made with mode 0600.

    ``key_file`` holds the sealing keys where none are configured.
    """

    def __init__(self, path: Path) -> None:
        """Use ``path``; ``prepare`` makes it."""
        self.path = path
        self.key_file = KeyFile(path / KEY_FILE)
        self._lock: int | None = None

    @property
    def operator_file(self) -> Path:
        """Where the generated operator account is kept."""
        return self.path / OPERATOR_FILE

    def prepare(self) -> None:
        """Make the directory and take its lock.

        Raises ``StartError``: it can't be written to, or another service runs on it.
        """
        self._make()
        self._lock = self._locked(LOCK_FILE)
        if self._lock is None:
            raise StartError(
                f"another service runs on the data directory {self.path}: "
                "stop it, or name another directory with --data or MG_PROVISION_DATA"
            )

    def _make(self) -> None:
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise self._unusable(error) from error

    def _locked(self, name: str) -> int | None:
        """Return the descriptor of the lock of this name, ``None`` where somebody has it."""
        try:
            lock = os.open(self.path / name, os.O_RDWR | os.O_CREAT, PRIVATE)
        except OSError as error:
            raise self._unusable(error) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return None
        return lock

    def _unusable(self, error: OSError) -> StartError:
        return StartError(
            f"the data directory {self.path} can't be used: {error.strerror}; "
            "name another one with --data or MG_PROVISION_DATA"
        )

    def release(self) -> None:
        """Let go of the lock."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    @contextlib.contextmanager
    def holding_keys(self) -> Iterator[None]:
        """Keep the sealing keys as they are, whatever other commands want.

        Raises ``StartError``: the directory can't be used, or another command holds them.
        """
        self._make()
        lock = self._locked(KEYS_LOCK_FILE)
        if lock is None:
            raise StartError(
                f"the sealing keys in {self.path} are in use by another command (keys rotate, "
                "backup or restore): wait until it has ended"
            )
        try:
            yield
        finally:
            os.close(lock)

    @contextlib.contextmanager
    def changing_keys(self) -> Iterator[bool]:
        """Hold the right to change the sealing keys; give whether no service runs meanwhile.

        Where none runs, none can start until this ends. Raises as ``holding_keys``.
        """
        with self.holding_keys():
            self._lock = self._locked(LOCK_FILE)
            try:
                yield self._lock is not None
            finally:
                self.release()

    def sealer(self, configured: Secret) -> Sealer:
        """Return a sealer with the configured keys (base64, comma-separated), else the file's.

        Without either a key is made and written to the file. A change of the file is seen at once.
        Raises ``SettingsError``: a key is not 32 bytes in base64, or the file can't be read.
        """
        if configured:
            return Sealer(read_keys(configured.reveal().split(","), KEYS_SETTING))
        return Sealer(self.key_file.read(), self.key_file.changed)

    def write_operator(self, username: str, password: Secret, domain_id: str) -> None:
        """Keep the generated operator account for whoever installed the service."""
        account = {"username": username, "password": password.reveal(), "domain_id": domain_id}
        write_private(self.operator_file, json.dumps(account, indent=2) + "\n")

    def forget_operator(self) -> None:
        """Drop the generated operator account, which is nobody's."""
        self.operator_file.unlink(missing_ok=True)

    def read_operator(self) -> dict[str, str]:
        """Return the generated operator account; empty where there is none.

        Raises ``SettingsError``: the file is damaged.
        """
        if not self.operator_file.exists():
            return {}
        try:
            account: dict[str, str] = json.loads(self.operator_file.read_text(encoding="utf-8"))
        except ValueError as error:
            raise SettingsError(
                f"{self.operator_file} is damaged ({error}): restore it from a backup, or give "
                "--token and --domain and move it away"
            ) from error
        return account

    def write_address(self, address: str) -> None:
        """Keep where this process listens, for commands on its host."""
        kept = {"address": address, "process": os.getpid()}
        write_private(self.path / ADDRESS_FILE, json.dumps(kept) + "\n")

    def read_address(self) -> str:
        """Return where the service on this directory listens; empty where none runs."""
        try:
            kept = json.loads((self.path / ADDRESS_FILE).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return ""
        # A crash leaves the file behind.
        return str(kept["address"]) if _is_running(kept["process"]) else ""

    def remove_address(self) -> None:
        """Forget where the service listened: it ends."""
        (self.path / ADDRESS_FILE).unlink(missing_ok=True)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it is another user's
        return True
    return True
