"""Addresses of the console's pages."""

from __future__ import annotations

from urllib.parse import quote


def address(*parts: str) -> str:
    """Return the address of a page: ``address("bootstraps", config_id)``."""
    return "/".join(("/console", *(quote(part, safe="") for part in parts)))
