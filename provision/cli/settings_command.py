"""``provision settings``: what is in force, and where each value came from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import fields

from bootstrap_core.secret import Secret
from provision.cli import output
from provision.settings import Settings, names_of
from provision.settings_reader import Loaded, load


def print_table(environment: Mapping[str, str], given: Mapping[str, Any]) -> None:
    """Print a table for people; warnings go to standard error."""
    loaded = load(environment, given)
    headings = ("setting", "value", "from")
    output.print_table(headings, ([row[name] for name in headings] for row in _rows(loaded)))
    for warning in loaded.warnings:
        output.note(f"warning: {warning}")


def print_json(environment: Mapping[str, str], given: Mapping[str, Any]) -> None:
    """Print JSON for scripts."""
    loaded = load(environment, given)
    output.print_json({"settings": _rows(loaded), "warnings": list(loaded.warnings)})


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
