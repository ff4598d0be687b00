"""The list of all settings, from the fields that the service reads them into."""

from __future__ import annotations

from attrs import fields

from bootstrap_core.secrets import Secret
from provision.settings import Settings, names_of


def write() -> str:
    """Return a Markdown table of every setting: names, default, meaning."""
    rows = [
        "| variable | older names | in the TOML file | default | meaning |",
        "|---|---|---|---|---|",
    ]
    for setting in fields(Settings):
        names = names_of(setting.name)
        first, *older = names.named
        cells = [_code(first), _codes(older), _codes(names.named_keys), _default(setting.default)]
        rows.append(f"| {' | '.join(cells)} | {names.help} |")
    return "\n".join(rows)


def _default(value: object) -> str:
    if value in ("", (), None) or isinstance(value, Secret):
        return ""
    return _code(f"{value:g}" if isinstance(value, float) else str(value).lower())


def _codes(names: tuple[str, ...] | list[str]) -> str:
    return ", ".join(map(_code, names))


def _code(text: str) -> str:
    return f"`{text}`"
