"""Do what the Dockerfile does, in a bare directory, where there is no Docker.

Copies what it copies, runs its build commands with the paths moved below the directory, then starts
the service with the image's settings, its program files read-only, and asks its health check.
Usage: python docker/rehearse.py DIRECTORY
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
MOVED = ("/opt/provision", "/build", "/etc/provision", "/var/lib/provision")
START_SECONDS = 30


def main(directory: Path) -> int:
    """Rehearse the image; return 0 if its service is healthy."""
    text = re.sub(r"\\\n\s*", " ", (ROOT / "docker" / "Dockerfile").read_text(encoding="utf-8"))
    workdir, environment, arguments = directory, dict(os.environ), {}
    for line in text.splitlines():
        word, _, rest = line.strip().partition(" ")
        moved = _moved(rest.strip(), directory)
        match word:
            case "WORKDIR":
                workdir = Path(moved)
                workdir.mkdir(parents=True, exist_ok=True)
            case "ARG":
                name, _, value = moved.partition("=")
                arguments[name] = value
            case "ENV":
                pairs = (part.partition("=") for part in shlex.split(moved))
                environment |= {name: os.path.expandvars(value) for name, _, value in pairs}
            case "COPY" if not moved.startswith("--from"):
                _copy(shlex.split(moved), workdir)
            case "RUN" if "useradd" not in moved:
                # The image's Python is called python; this machine's may have another name.
                moved = moved.replace("python -m venv", f"{sys.executable} -m venv")
                subprocess.run(
                    ["bash", "-euc", moved], cwd=workdir, env=environment | arguments, check=True
                )
    return _serve(directory, environment)


def _moved(text: str, directory: Path) -> str:
    for path in MOVED:
        text = re.sub(rf"(?<![\w/]){path}", f"{directory}{path}", text)
    return text


def _copy(parts: list[str], workdir: Path) -> None:
    *sources, target = parts
    place = Path(target) if target.startswith("/") else workdir / target
    for source in sources:
        origin = ROOT / source
        goal = place / origin.name if target.endswith("/") else place
        goal.parent.mkdir(parents=True, exist_ok=True)
        if origin.is_dir():
            shutil.copytree(origin, goal, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(origin, goal)


def _serve(directory: Path, environment: dict[str, str]) -> int:
    program = directory / "opt" / "provision" / "bin" / "provision"
    data = Path(environment["MG_PROVISION_DATA"])
    data.mkdir(parents=True, exist_ok=True)
    for file in (directory / "opt").rglob("*"):
        if file.is_file():
            file.chmod(file.stat().st_mode & ~0o222)
    environment["MG_PROVISION_HTTP_HOST"] = "127.0.0.1"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        environment["MG_PROVISION_HTTP_PORT"] = str(probe.getsockname()[1])
    service = subprocess.Popen([str(program), "serve"], cwd=data, env=environment)
    try:
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until and service.poll() is None:
            done = subprocess.run([str(program), "healthcheck"], env=environment, check=False)
            if done.returncode == 0 and service.poll() is None:
                return 0
            time.sleep(0.5)
        return 1
    finally:
        service.terminate()
        service.wait(START_SECONDS)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).absolute()))
