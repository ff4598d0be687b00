"""Addresses of the console's pages."""

from __future__ import annotations

from bootstrap_core.model import segment


def address(*parts: str) -> str:
    """Return the address of a page: ``address("bootstraps", config_id)``."""
    return "/".join(("/console", *(segment(part) for part in parts)))
