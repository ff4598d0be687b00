"""``provision settings``: what is in force, and where each value came from."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

from attrs import fields
from rich.console import Console
from rich.table import Table

from bootstrap_core.secret import Secret
from provision.settings import Settings, names_of
from provision.settings_reader import Loaded, load


def print_table(environment: Mapping[str, str], given: Mapping[str, Any]) -> None:
    """Print a table for people; warnings go to standard error."""
    loaded = load(environment, given)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("setting", "value", "from"):
        table.add_column(heading, overflow="fold")
    for row in _rows(loaded):
        table.add_row(row["setting"], str(row["value"]), row["from"])
    Console().print(table)
    for warning in loaded.warnings:
        print(f"warning: {warning}", file=sys.stderr)  # noqa: T201


def print_json(environment: Mapping[str, str], given: Mapping[str, Any]) -> None:
    """Print JSON for scripts."""
    loaded = load(environment, given)
    document = {"settings": _rows(loaded), "warnings": list(loaded.warnings)}
    print(json.dumps(document, indent=2))  # noqa: T201


def _rows(loaded: Loaded) -> list[dict[str, Any]]:
    rows = []
    for attribute in fields(Settings):
        value = getattr(loaded.settings, attribute.name)
        shown: object = value
        if isinstance(value, Secret):
            shown = str(value)
        elif isinstance(value, tuple):
            shown = list(value)
        names = names_of(attribute.name)
        rows.append(
            {
                "setting": names.variables[0],
                "value": "" if shown is None else shown,
                "from": loaded.origins[attribute.name],
                "about": names.help,
            }
        )
    return rows
