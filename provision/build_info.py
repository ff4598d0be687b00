"""Which build this is. A checkout has none of it; an image writes ``build_info.json``."""

from __future__ import annotations

import json
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from attrs import frozen

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

    version: str = "0.0.0"
    commit: str = "ffffffff"
    build_time: str = "1970-01-01_00:00:00"


def build_info() -> BuildInfo:
    """Return the version and what the image's build wrote down.

    Outside of an image these are Magistrala's values for "not known".
    """
    if not BUILD_FILE.exists():
        return BuildInfo()
    return BuildInfo(release(), **json.loads(BUILD_FILE.read_text(encoding="utf-8")))
