"""Which build this is: an image writes ``build_info.json``, a checkout asks git."""

from __future__ import annotations

import json
import os
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from attrs import frozen

BUILD_FILE = Path(__file__).parent / "build_info.json"
CHECKOUT = Path(__file__).parent.parent
TIME = "%Y-%m-%d_%H:%M:%S"
GIT_SECONDS = 2


def release() -> str:
    """Return the version of the installed package."""
    try:
        return version("provision")
    except PackageNotFoundError:
        return "unknown"


@frozen
class BuildInfo:
    """Version, commit and time (``YYYY-MM-DD_HH:MM:SS``) of a build, as Magistrala writes them."""

    version: str = "0.0.0"
    commit: str = "ffffffff"
    build_time: str = "1970-01-01_00:00:00"


def build_info() -> BuildInfo:
    """Return the version, and the commit and time that the image's build wrote down.

    In a checkout they are the commit that is checked out and its time. Where neither is known
    they have Magistrala's values for "not known".
    """
    if BUILD_FILE.exists():
        return BuildInfo(release(), **json.loads(BUILD_FILE.read_text(encoding="utf-8")))
    if (CHECKOUT / ".git").exists():
        # Not for an installed package that happens to stand below another project's checkout.
        command = ["git", "-C", str(CHECKOUT), "log", "-1", f"--date=format-local:{TIME}"]
        try:
            told = subprocess.run(  # noqa: S603 - our own words
                [*command, "--format=%H %cd"],
                capture_output=True,
                check=True,
                text=True,
                timeout=GIT_SECONDS,
                env={**os.environ, "TZ": "UTC"},
            )
        except (OSError, subprocess.SubprocessError):
            return BuildInfo(release())
        commit, time = told.stdout.split()
        return BuildInfo(release(), commit, time)
    return BuildInfo(release())
