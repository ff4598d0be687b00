"""The table of what comes over from each release: names from ``tests/data/releases.toml``."""

from __future__ import annotations

from typing import Any

import tomli
from attrs import fields

from provision.former_settings import BY_REASON, PLATFORM, UNUSED
from provision.settings import Settings, names_of
from tests.cli.served import ROOT

RELEASES: list[dict[str, Any]] = tomli.loads((ROOT / "tests/data/releases.toml").read_text())[
    "releases"
]
READ = {variable for field in fields(Settings) for variable in names_of(field.name).variables}


def write() -> str:
    """Return a Markdown table of the releases."""
    rows = [
        "| release | variables | TOML file | dump | devices |",
        "|---|---|---|---|---|",
    ]
    rows += [
        f"| {each['name']} | {_variables(each)} | {_file(each)} | {_dump(each)} | {_device(each)} |"
        for each in RELEASES
    ]
    return "\n".join(rows)


def write_unused() -> str:
    """Return a Markdown table of the variables that have no effect, by what to do instead."""
    rows = ["| variables, with `MG_`, `SMQ_` or `MF_` before them | instead |", "|---|---|"]
    rows += [
        f"| {', '.join(f'`{name}`' for name in names)} | {reason} |"
        for reason, names in BY_REASON.items()
    ]
    return "\n".join(rows)


def _variables(release: dict[str, Any]) -> str:
    names = release["variables"]
    read, told = (sum(name in known for name in names) for known in (READ, UNUSED))
    stops = ", ".join(f"`{name}`" for name in names if name in PLATFORM)
    brand = names[0].partition("_")[0]
    stopping = f"; {stops} alone stops the start" if stops else ""
    return f"`{brand}_PROVISION_*`, `{brand}_BOOTSTRAP_*`: {read} read, {told} reported{stopping}"


def _file(release: dict[str, Any]) -> str:
    clients = "things" if "things" in release["device"]["path"] else "clients"
    keys = release["keys"]
    certificates = sorted({f"[{key.partition('.')[0]}]" for key in keys if key.startswith("cert")})
    tables = ["[server]", "[bootstrap]", *certificates, f"[[{clients}]]", "[[channels]]"]
    without = "; `[client.metadata]` has no effect" if "client.metadata" in keys else ""
    return f"{', '.join(f'`{table}`' for table in tables)}{without}"


def _dump(release: dict[str, Any]) -> str:
    tables = release["tables"]
    if not tables["channel"]:
        return "`profiles`, `configs`, `bindings`"
    into = "; needs `--into-domain`" if tables["owner"] == "owner" else ""
    columns = ", ".join(f"`{tables[name]}`" for name in ("config", "secret", "channel"))
    return f"`configs`, `channels`, `connections` ({columns}){into}"


def _device(release: dict[str, Any]) -> str:
    device = release["device"]
    header = f"{device['scheme']} KEY".strip()
    names = ", ".join(f"`{device[name]}`" for name in ("id", "key", "channels") if device[name])
    return f"`{device['path']}…`, `{header}`: {names}"
