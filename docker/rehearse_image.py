"""Build the image and run its container where there is no Docker.

Every step of the Dockerfile runs as it stands, in a bare Debian per stage. The service then runs as
the image's user, without privileges, on a read-only file system, and its health check is asked.
Usage: python docker/rehearse_image.py [DIRECTORY]
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import socket
import sys
import tempfile
from pathlib import Path
from typing import Final

from attrs import Factory, define
from debian import Debian, FailedError, missing

PROJECT: Final = Path(__file__).resolve().parent.parent
DOCKERFILE: Final = PROJECT / "docker" / "Dockerfile"
BASE: Final = ("bookworm", ("python3", "python3-venv"))
"""In the place of the image's own base, which only a registry of images has."""
READ_ONLY: Final = """
mount --rbind "$ROOT" "$ROOT"
mount --bind "$ROOT$VOLUME" "$ROOT$VOLUME"
mount -o remount,ro,bind "$ROOT"
mount -t tmpfs tmpfs "$ROOT/tmp"
"""
START_SECONDS: Final = 30


@define
class Stage:
    """What one FROM of the Dockerfile has become so far."""

    system: Debian
    environment: dict[str, str] = Factory(dict)
    arguments: dict[str, str] = Factory(dict)
    directory: str = "/"
    user: str = "root"
    volume: str = ""
    words: dict[str, list[str]] = Factory(dict)


def main(arguments: list[str]) -> int:
    """Rehearse the image; return 0 if its service is healthy."""
    if reason := missing():
        print(f"the image's rehearsal is left out: {reason}")
        return 0
    with tempfile.TemporaryDirectory(
        prefix="image-", dir=arguments[0] if arguments else None
    ) as space:
        try:
            stages = build(Path(space))
            print(serve(stages[-1]))
        except FailedError as error:
            print(error, file=sys.stderr)
            return 1
    return 0


def build(space: Path) -> list[Stage]:
    """Run the Dockerfile's steps; return its stages. Raises ``FailedError``."""
    base = Debian.bootstrap(space / "base", *BASE)
    base.must("ln -s python3 /usr/bin/python")
    stages: list[Stage] = []
    names: dict[str, Stage] = {}
    for word, rest in instructions():
        if word == "FROM":
            stages.append(Stage(base.copy(space / f"stage{len(stages)}")))
            names[rest.partition(" AS ")[2]] = stages[-1]
        else:
            step(stages[-1], names, word, rest)
    return stages


def instructions() -> list[tuple[str, str]]:
    """Return the Dockerfile's words, each with what stands behind it."""
    text = re.sub(r"\\\n\s*", " ", DOCKERFILE.read_text(encoding="utf-8"))
    lines = [line.strip() for line in text.splitlines() if line and not line.startswith("#")]
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines)]


def step(stage: Stage, names: dict[str, Stage], word: str, rest: str) -> None:
    """Do what one instruction says."""
    match word:
        case "WORKDIR":
            stage.directory = rest
            (stage.system.root / rest.lstrip("/")).mkdir(parents=True, exist_ok=True)
        case "ENV":
            pairs = (part.partition("=") for part in shlex.split(rest))
            path = stage.system.must("echo $PATH", stage.environment).strip()
            stage.environment |= {name: value.replace("$PATH", path) for name, _, value in pairs}
        case "ARG":
            name, _, value = rest.partition("=")
            stage.arguments[name] = value
        case "COPY":
            copy(stage, names, shlex.split(rest))
        case "RUN":
            stage.system.must(rest, stage.environment | stage.arguments, stage.directory)
        case "USER":
            stage.user = rest
        case "VOLUME":
            stage.volume = rest
        case "ENTRYPOINT" | "CMD":
            stage.words[word] = json.loads(rest)
        case "HEALTHCHECK":
            stage.words[word] = json.loads(rest.partition("CMD ")[2])
        case "EXPOSE":
            pass
        case _:
            raise FailedError(f"{DOCKERFILE}: the rehearsal does not know {word}")


def copy(stage: Stage, names: dict[str, Stage], parts: list[str]) -> None:
    """Copy files of the project, or of another stage, into this one."""
    origin = PROJECT
    if parts[0].startswith("--from="):
        origin = names[parts.pop(0).partition("=")[2]].system.root
    *sources, target = parts
    place = stage.system.root / str(Path(stage.directory, target)).lstrip("/")
    for source in sources:
        file = origin / source.lstrip("/")
        goal = place / file.name if target.endswith("/") else place
        goal.parent.mkdir(parents=True, exist_ok=True)
        if file.is_dir():
            ignored = shutil.ignore_patterns("__pycache__") if origin == PROJECT else None
            shutil.copytree(file, goal, symlinks=True, ignore=ignored, dirs_exist_ok=True)
        else:
            shutil.copy(file, goal)


def serve(stage: Stage) -> str:
    """Run the container until its health check passes; return what it was like.

    It listens on this machine's loopback. Raises ``FailedError``.
    """
    service = shlex.join([*stage.words["ENTRYPOINT"], *stage.words["CMD"]])
    health = shlex.join(stage.words["HEALTHCHECK"])
    container = f"""
        if touch /opt/written 2>/dev/null; then echo "/opt can be written" >&2; exit 1; fi
        {service} >/tmp/said 2>/tmp/log &
        service=$!
        for second in $(seq {START_SECONDS}); do
          sleep 1
          kill -0 $service || break
          if {health}; then
            grep -E '^(Uid|CapEff|NoNewPrivs)' /proc/$service/status
            provision map gateway-1 gateway-1-key --json >/tmp/gateway
            provision bootstrap bootstrap gateway-1 gateway-1-key >/tmp/device
            kill $service
            wait $service
            exit 0
          fi
        done
        cat /tmp/log >&2
        exit 1
    """
    (stage.system.root / "container").write_text(container, encoding="utf-8")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = stage.environment | {
        "MG_PROVISION_HTTP_HOST": "127.0.0.1",
        "MG_PROVISION_HTTP_PORT": str(port),
        "VOLUME": stage.volume,
    }
    user = f"setpriv --reuid {stage.user} --regid {stage.user} --init-groups"
    run = f"exec {user} --no-new-privs --bounding-set=-all /bin/sh -eu /container"
    said = stage.system.must(run, environment, stage.directory, READ_ONLY)
    if "Uid:\t0\t" in said or "CapEff:\t0000000000000000" not in said:
        raise FailedError(f"the service runs with privileges:\n{said}")
    return said


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
