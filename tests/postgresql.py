"""A PostgreSQL server of the tests' own, in a scratch directory; it is gone at the end."""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from attrs import frozen

STARTING = 30.0
MEMORY = Path("/dev/shm")  # noqa: S108 - a directory that only this process knows is made there
ENOUGH = 2 * 1024**3
ADMINISTRATOR = "provision"
NOT_THERE = (
    "PostgreSQL's server programs are not installed: install Debian's package 'postgresql', "
    "or name a running server with PROVISION_TEST_DATABASE=postgresql://user:password@host/database"
)
# What is lost in a power cut is made again by the next run.
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "400",
    "shared_buffers": "256MB",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "autovacuum": "off",
    "checkpoint_timeout": "1h",
    "log_checkpoints": "off",
}


class ServerNotUsable(Exception):
    """The server can't be had; the message says what to do."""


@frozen
class _User:
    """Whom the server runs as: it refuses to run as root."""

    command: tuple[str, ...]
    uid: int
    gid: int


@contextlib.contextmanager
def server() -> Iterator[str]:
    """Run a server until the context ends; give its URL. Raises ``ServerNotUsable``."""
    programs, user = _programs(), _user()
    with tempfile.TemporaryDirectory(prefix="provision-postgresql-", dir=_space()) as scratch:
        directory = Path(scratch)
        os.chown(directory, user.uid, user.gid)
        password = secrets.token_hex(16)
        _make_cluster(programs, user, directory, password)
        port = _free_port()
        process = _start(programs, user, directory, port)
        try:
            _wait(process, port, directory)
            yield f"postgresql://{ADMINISTRATOR}:{password}@127.0.0.1:{port}/postgres"
        finally:
            process.send_signal(signal.SIGQUIT)
            process.wait(STARTING)


def _space() -> Path | None:
    """Return where memory serves as a disk: making a database there takes a tenth of the time."""
    with contextlib.suppress(OSError):
        if shutil.disk_usage(MEMORY).free > ENOUGH and os.access(MEMORY, os.W_OK):
            return MEMORY
    return None


def _programs() -> Path:
    candidates = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda found: int(found.parent.name)
    )
    if config := shutil.which("pg_config"):
        named = subprocess.run([config, "--bindir"], capture_output=True, text=True, check=True)
        candidates.append(Path(named.stdout.strip()))
    for directory in reversed(candidates):
        if all((directory / name).exists() for name in ("initdb", "postgres")):
            return directory
    raise ServerNotUsable(NOT_THERE)


def _user() -> _User:
    setpriv = shutil.which("setpriv")
    # The server ends with this process, however that ends.
    dying = (setpriv, "--pdeathsig", "QUIT") if setpriv else ()
    if os.geteuid():
        return _User(dying, os.geteuid(), os.getegid())
    if not setpriv:
        raise ServerNotUsable(
            "PostgreSQL does not run as root, and the program setpriv is not there to run it as "
            "another user: run the tests as another user, or install Debian's package 'util-linux'"
        )
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            become = (f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups")
            return _User((*dying, *become), entry.pw_uid, entry.pw_gid)
    raise ServerNotUsable("PostgreSQL does not run as root, and no user postgres or nobody exists")


def _make_cluster(programs: Path, user: _User, directory: Path, password: str) -> None:
    file = directory / "password"
    file.write_text(password)
    os.chown(file, user.uid, user.gid)
    made = subprocess.run(
        [
            *(*user.command, programs / "initdb", "--pgdata", directory / "cluster"),
            *("--username", ADMINISTRATOR, "--pwfile", file, "--auth", "password"),
            *("--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync"),
        ],
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        raise ServerNotUsable(f"initdb failed: {made.stderr.strip()}")


def _start(programs: Path, user: _User, directory: Path, port: int) -> subprocess.Popen[bytes]:
    settings = [f"--{name}={value}" for name, value in SETTINGS.items()]
    with (directory / "log").open("wb") as log:
        return subprocess.Popen(
            [
                *(*user.command, programs / "postgres", "-D", directory / "cluster"),
                *("-p", str(port), *settings),
            ],
            cwd=directory,
            stdout=log,
            stderr=log,
            # Ctrl-C is for pytest, which still needs the server then.
            start_new_session=True,
        )


def _wait(process: subprocess.Popen[bytes], port: int, directory: Path) -> None:
    until = time.monotonic() + STARTING
    ready = directory / "cluster" / "postmaster.pid"
    while not (ready.exists() and "ready" in ready.read_text()):
        if process.poll() is not None or time.monotonic() > until:
            log = (directory / "log").read_text()
            raise ServerNotUsable(f"PostgreSQL did not start on port {port}: {log.strip()}")
        time.sleep(0.02)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
