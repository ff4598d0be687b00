"""Which build this is: the package's version, and what an image wrote to ``build_info.json``."""

from __future__ import annotations

import json
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from attrs import field, frozen

BUILD_FILE = Path(__file__).parent / "build_info.json"


def release() -> str:
    """Return the version of the installed package."""
    try:
        return version("provision")
    except PackageNotFoundError:
        return "unknown"


@frozen
class BuildInfo:
    """Version, commit and time (``YYYY-MM-DD_HH:MM:SS``) of a build, as Magistrala writes them."""

    version: str = field(factory=release)
    commit: str = "ffffffff"
    build_time: str = "1970-01-01_00:00:00"


def build_info() -> BuildInfo:
    """Return what the image's build wrote down, or Magistrala's values for "not known"."""
    if not BUILD_FILE.exists():
        return BuildInfo()
    return BuildInfo(**json.loads(BUILD_FILE.read_text(encoding="utf-8")))
