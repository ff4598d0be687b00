"""Set up a virtual environment of the project, exactly as its lock files say.

Usage: python requirements/install.py ENVIRONMENT {runtime|development|mutants} [--this-python]

A lock is complete, so pip resolves nothing: a newer release of any package changes nothing here.
An environment whose set-up failed or was interrupted is made anew the next time. With
``--this-python``, one that was made with another Python is made anew, too.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCKS = {
    "runtime": ("runtime",),
    "development": ("development",),
    "mutants": ("development", "mutants"),
}
"""The lock files that each kind of environment is made of; development's has all of runtime's."""
STATE_FILE = "installed.json"
PIP = ("-m", "pip", "--disable-pip-version-check", "--no-input")
PACKAGE = re.compile(r"(?:Collecting|Requirement already satisfied:) (\S+)")
MADE_BY_VENV = {"bin", "include", "lib", "lib64", "pyvenv.cfg"}
SHOWN_LINES = 12


class SetUpError(Exception):
    """The environment can't be set up; the message says why, and what to do."""


def main(arguments: list[str]) -> int:
    """Set an environment up; return 0 if it is there now."""
    parser = argparse.ArgumentParser(description="Set up a virtual environment from the lock.")
    parser.add_argument("environment", type=Path)
    parser.add_argument("kind", choices=LOCKS)
    parser.add_argument("--this-python", action="store_true", help="accept no other Python's")
    given = parser.parse_args(arguments)
    environment = given.environment.absolute()
    try:
        with only_one_for(environment):
            set_up(environment, given.kind, this_python=given.this_python)
    except SetUpError as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        print(
            f"{error.filename or environment} can't be written: {error.strerror}. Work in a copy "
            "of the project that you may write to, or name another directory: make VENV=/elsewhere",
            file=sys.stderr,
        )
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted. Run the same command again to start over.", file=sys.stderr)
        return 130
    return 0


@contextlib.contextmanager
def only_one_for(environment: Path) -> Iterator[None]:
    """Wait until nobody else works on the environment, and keep others from it."""
    environment.parent.mkdir(parents=True, exist_ok=True)
    with environment.with_name(f"{environment.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Another command sets up the same environment; waiting for it ...", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def set_up(environment: Path, kind: str, *, this_python: bool) -> None:
    """Make or complete the environment, unless it is as it should be. Raises ``SetUpError``."""
    state = read_state(environment)
    if not fits(environment, state, this_python=this_python):
        create(environment)
        state = {}
    wanted = {name: digest(name) for name in LOCKS[kind]}
    if kind == "runtime" and state.get("development") == digest("development"):
        return
    if wanted.items() <= state.items():
        return
    # Without this file the next try starts over, whatever stops this one.
    (environment / STATE_FILE).unlink(missing_ok=True)
    for name in wanted:
        install(environment, ROOT / "requirements" / f"{name}.txt")
    run_pip(environment, "check")
    run_pip(environment, "install", "--no-deps", "--no-build-isolation", "--quiet", "-e", str(ROOT))
    state |= wanted | {"python": this_python_is()}
    (environment / STATE_FILE).write_text(json.dumps(state), encoding="utf-8")


def read_state(environment: Path) -> dict[str, str]:
    """Return what was written when the environment was complete; nothing where it is not."""
    try:
        state: dict[str, str] = json.loads((environment / STATE_FILE).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return {}
    return state


def fits(environment: Path, state: dict[str, str], *, this_python: bool) -> bool:
    """Return whether the environment can be built upon."""
    if not state or not (environment / "bin" / "python").exists():
        return False
    version, program = this_python_is().split(" ", 1)
    then_version, then_program = state["python"].split(" ", 1)
    runs_in_it = Path(sys.prefix) == environment
    if runs_in_it or this_python:
        # The system's Python may have become another one since.
        return version == then_version and program == then_program
    return True


def this_python_is() -> str:
    """Return the minor version and the program of the Python that this script runs with."""
    program = os.path.realpath(getattr(sys, "_base_executable", sys.executable))
    return f"{sys.version_info[0]}.{sys.version_info[1]} {program}"


def digest(name: str) -> str:
    """Return a digest of what an environment from this lock is made of."""
    made_of = (ROOT / "requirements" / f"{name}.txt", ROOT / "pyproject.toml")
    return hashlib.sha256(b"".join(file.read_bytes() for file in made_of)).hexdigest()


def create(environment: Path) -> None:
    """Make an empty environment in the place of what is there. Raises ``SetUpError``."""
    version, program = this_python_is().split(" ", 1)
    if importlib.util.find_spec("ensurepip") is None:
        raise SetUpError(
            f"{program} has no module ensurepip, so it can't make a virtual environment. On Debian "
            f"or Ubuntu, run: apt-get install python{version}-venv. Then run this again."
        )
    names = {path.name for path in environment.iterdir()} if environment.exists() else set()
    if names and not names & MADE_BY_VENV:
        raise SetUpError(
            f"{environment} is there and is no virtual environment. Move it away, or name another "
            "directory: make VENV=/elsewhere"
        )
    print(f"Making a virtual environment of Python {version} in {environment} ...", flush=True)
    shutil.rmtree(environment, ignore_errors=True)
    made = subprocess.run(
        [program, "-m", "venv", str(environment)], check=False, capture_output=True, text=True
    )
    if made.returncode:
        shutil.rmtree(environment, ignore_errors=True)
        said = (made.stderr or made.stdout).strip()
        raise SetUpError(
            f"{said}\n{program} could not make a virtual environment in {environment}."
        )


def install(environment: Path, lock: Path) -> None:
    """Install exactly what a lock file names. Raises ``SetUpError``."""
    names = [line.split("==")[0] for line in lock.read_text().splitlines() if "==" in line]
    print(f"Installing {len(names)} packages ...", flush=True)
    run_pip(
        environment,
        *("install", "--no-deps", "--require-hashes", "--progress-bar", "off", "-r", str(lock)),
        total=len(names),
    )


def run_pip(environment: Path, *arguments: str, total: int = 0) -> None:
    """Run pip; a terminal shows which of ``total`` packages it is at. Raises ``SetUpError``."""
    said: list[str] = []
    done = 0
    command = [str(environment / "bin" / "python"), *PIP, *arguments]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as pip:
        assert pip.stdout is not None  # noqa: S101 - it is a pipe
        for line in pip.stdout:
            said.append(line.rstrip())
            if package := PACKAGE.match(line):
                done += 1
                show(f"{done} of {total}: {package[1]}")
            elif line.startswith("Installing collected packages"):
                show("unpacking all of them")
    show("")
    if pip.returncode:
        print("\n".join(said[-SHOWN_LINES:]), file=sys.stderr)
        raise SetUpError(
            "The packages could not be installed; pip's words above say why. Mend that (does this "
            "machine reach the package index?), then run the same command again: it starts over."
        )


def show(progress: str) -> None:
    """Write over the line of a terminal; a file or a pipe gets none of it."""
    if sys.stdout.isatty():
        print(f"\r\033[K  {progress}" if progress else "\r\033[K", end="", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
