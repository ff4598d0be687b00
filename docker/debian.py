"""A bare Debian in a directory, in which commands run as on a machine of its own.

Needs root, ``debootstrap`` and util-linux. Processes that a command leaves behind end with it, and
mounts of its own are seen by nobody else.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from attrs import frozen

CERTIFICATES: Final = "etc/ssl/certs/ca-certificates.crt"
"""With the authorities that this machine trusts, packages come from where it gets its own."""
OF_THIS_MACHINE: Final = ("etc/resolv.conf", "etc/pip.conf", CERTIFICATES)
PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
INHERITED: Final = ("PIP_CERT", "PIP_INDEX_URL", "PIP_DEFAULT_TIMEOUT", "http_proxy", "https_proxy")


class FailedError(Exception):
    """A command in the directory ended as it should not."""


def missing() -> str:
    """Return why this machine can't have such a directory; empty where it can."""
    if os.geteuid() != 0:
        return "it needs root"
    tools = [tool for tool in ("debootstrap", "unshare", "chroot") if not shutil.which(tool)]
    return f"{', '.join(tools)} is not installed" if tools else ""


@frozen
class Debian:
    """The directory, which holds a Debian."""

    root: Path

    @classmethod
    def bootstrap(cls, root: Path, suite: str, packages: Sequence[str]) -> Debian:
        """Make one with these packages and nothing else. Raises ``FailedError``."""
        include = ",".join(("ca-certificates", *packages))
        command = ["debootstrap", "--variant=minbase", f"--include={include}", suite, str(root)]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode:
            raise FailedError(f"debootstrap: {done.stdout[-2000:]}{done.stderr[-2000:]}")
        for name in OF_THIS_MACHINE:
            if Path("/", name).exists():
                shutil.copy(Path("/", name), root / name)
        return cls(root)

    def copy(self, root: Path) -> Debian:
        """Return another one with the same files."""
        subprocess.run(["cp", "--archive", str(self.root), str(root)], check=True)
        return Debian(root)

    def run(
        self,
        script: str,
        environment: Mapping[str, str] | None = None,
        directory: str = "/",
        mounts: str = "",
    ) -> subprocess.CompletedProcess[str]:
        """Run a shell script in it, as root, and return how it ended and what it said.

        ``mounts`` is a script that this machine's shell runs before, in the same namespace of
        mounts; ``$ROOT`` is the directory there.
        """
        inside = f"cd {directory}\n{script}"
        enter = f'{mounts or ":"}\nexec chroot "$ROOT" /bin/sh -euc "$SCRIPT"'
        command = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]
        own = {"PATH": PATH, "HOME": "/root", "LANG": "C.UTF-8"}
        inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
        return subprocess.run(
            [*command, f"--mount-proc={self.root}/proc", "/bin/sh", "-euc", enter],
            check=False,
            capture_output=True,
            text=True,
            env=own
            | inherited
            | dict(environment or {})
            | {"ROOT": str(self.root), "SCRIPT": inside},
        )

    def must(
        self,
        script: str,
        environment: Mapping[str, str] | None = None,
        directory: str = "/",
        mounts: str = "",
    ) -> str:
        """Return what a script says on standard output. Raises ``FailedError`` if it fails."""
        done = self.run(script, environment, directory, mounts)
        if done.returncode:
            raise FailedError(f"{script}\n{done.stdout[-4000:]}{done.stderr[-4000:]}")
        return done.stdout
