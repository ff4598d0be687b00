"""Layouts of different shapes: what a fault can hit differs with each."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.service.running import ROOT

SMALL = """
[layout]
name = "small"

[[clients]]
key = "one"
name = "{{ .ExternalID }}-one"
bootstrap = true

[[channels]]
key = "only"
name = "{{ .ExternalID }}-only"

[[connections]]
clients = ["one"]
channels = ["only"]
"""


def write_layouts(directory: Path) -> Path:
    """Return a directory with the product's layouts and a small one beside them."""
    target = directory / "layouts"
    shutil.copytree(ROOT / "layouts", target)
    (target / "small.toml").write_text(SMALL)
    return target
