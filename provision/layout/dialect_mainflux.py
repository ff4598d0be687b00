"""The dialect of Mainflux's ``config.toml``: as Magistrala's, but clients are ``[[things]]``."""

from __future__ import annotations

from typing import Final

from provision.layout.dialect_magistrala import build_legacy, shape
from provision.layout.model import Dialect, JsonObject, Layout
from provision.layout.report import Report

SHAPE: Final = shape("things")


def build(report: Report, data: JsonObject, name: str) -> Layout:
    """Return the model of checked ``data`` in Mainflux's dialect."""
    return build_legacy(report, data, name, Dialect.MAINFLUX, "things")
