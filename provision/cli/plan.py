"""``provision plan``: what a layout would change of a gateway, or of all that were made with it."""

from __future__ import annotations

import difflib
import json as json_module
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from attrs import frozen
from rich.text import Text

from bootstrap_core.model import segment
from provision.cli.client import Connection, ServiceClient, connected
from provision.cli.gateways import Params, external_ids, layout_names, list_rows, parameters
from provision.cli.output import (
    CHANGES,
    MEANINGS,
    REMEDIES,
    CommandFailed,
    Json,
    counted,
    drift_text,
    note,
    people,
    print_json,
    progress,
)
from provision.layout.catalog import layout_sources, read_layout_file
from provision.layout.json_schema import parameters_schema

SIGNS: Final = {"add": ("+", "green"), "change": ("~", "yellow"), "remove": ("-", "red")}
MIN_TRACKED: Final = 3
"""Fewer gateways than these are planned without a progress bar."""

app = typer.Typer(rich_markup_mode=None)


@frozen
class PlannedLayout:
    """The layout to plan with: a served one by its name, or a file with those that it names."""

    name: str
    files: Mapping[str, str]
    schema: Mapping[str, Any]


@app.command("plan", epilog=MEANINGS)
@connected
def plan(
    connection: Connection,
    external_id: Annotated[
        str,
        typer.Argument(
            metavar="EXTERNAL_ID", help="The device's own ID.", autocompletion=external_ids
        ),
    ] = "",
    *,
    layout: Annotated[
        str,
        typer.Option(
            "--layout",
            help="A layout file, or the name of a served layout.",
            autocompletion=layout_names,
        ),
    ] = "",
    name: Annotated[str, typer.Option(help="Name of the gateway.")] = "",
    param: Params = None,
    domain_wide: Annotated[
        bool, typer.Option("--domain-wide", help="Plan every gateway of the layout.")
    ] = False,
    json: Json = False,
) -> None:
    """Show what would be added (+), changed (~), removed (-).

    The command changes nothing. Lines with ! show what was deleted or changed on the platform.
    """
    if bool(external_id) == domain_wide:
        raise typer.BadParameter("give either EXTERNAL_ID or --domain-wide")
    with connection.open() as client:
        planned = _planned_layout(client, layout)
        body = _body(planned, name, param)
        ids = _all(client, planned) if domain_wide else [external_id]
        plans = [_ask(client, body, gateway_id) for gateway_id in track_long(ids)]
    pending = [found for found in plans if found["changes"] or found["drift"]]
    if json:
        print_json({"plans": plans} if domain_wide else plans[0])
    else:
        for found in pending if domain_wide else plans:
            _print(found)
        if domain_wide:
            _print_totals(plans)
    _note_unknown(plans)
    if pending:
        raise typer.Exit(CHANGES)


def track_long(ids: list[str]) -> Iterator[str]:
    """Yield ``ids``, with a bar for whoever watches where there are some."""
    if len(ids) < MIN_TRACKED:
        yield from ids
        return
    with progress() as bar:
        yield from bar.track(ids, description="Planning")


def _planned_layout(client: ServiceClient, layout: str) -> PlannedLayout:
    file = Path(layout)
    if not layout.endswith(".toml"):
        schema = client.ask("GET", f"/layouts/{segment(layout or 'default')}/schema")
        return PlannedLayout(layout, {}, schema)
    if not file.is_file():
        raise CommandFailed(f"there is no file {layout}", "name a served layout without .toml")
    return PlannedLayout(
        file.stem, layout_sources(file), parameters_schema(read_layout_file(file).layout)
    )


def _body(planned: PlannedLayout, name: str, param: Sequence[str] | None) -> dict[str, Any]:
    body: dict[str, Any] = {"layout": planned.name} if planned.name else {}
    body |= {"files": planned.files} if planned.files else {}
    body |= {"name": name} if name else {}
    body |= {"parameters": parameters(param, planned.schema)} if param else {}
    return body


def _all(client: ServiceClient, planned: PlannedLayout) -> list[str]:
    name = planned.name or str(client.ask("GET", "/layouts")["default"])
    return [str(row["external_id"]) for row in list_rows(client, "done", name)]


def _ask(client: ServiceClient, body: Mapping[str, Any], external_id: str) -> dict[str, Any]:
    path = client.in_domain("plan")
    found: dict[str, Any] = client.ask("POST", path, {**body, "external_id": external_id})
    return found


def _print(plan: Mapping[str, Any]) -> None:
    console = people()
    there = "exists" if plan["exists"] else "is new"
    console.print(f"Gateway {plan['external_id']} {there}; layout {plan['layout']}\n")
    for change in plan["changes"]:
        sign, colour = SIGNS[change["action"]]
        console.print(Text(f"  {sign} {change['kind']} {change['key']}", colour))
        for field, values in change["fields"].items():
            console.print(Text(f"      {field}: {_values(change['action'], values)}"))
    _print_rendered(plan)
    _print_drift(plan)
    done = plan["summary"]
    console.print(
        f"Plan: {done['add']} to add, {done['change']} to change, {done['remove']} to remove."
        if plan["changes"]
        else "No changes: the gateway is as the layout says."
    )


def _print_drift(plan: Mapping[str, Any]) -> None:
    console = people()
    if plan["drift"]:
        console.print("Changed on the platform:")
    for difference in plan["drift"]:
        cure = REMEDIES[difference["cure"]].format(external_id=plan["external_id"])
        console.print(Text(f"  ! {drift_text(difference)}: {cure}", "magenta"))
        for field, values in difference["fields"].items():
            console.print(Text(f"      {field}: {_values('change', values)}"))
    if plan["drift"]:
        console.print("")


def _print_totals(plans: Sequence[Mapping[str, Any]]) -> None:
    changed = sum(bool(plan["changes"]) for plan in plans)
    all_of_them = counted(len(plans), "gateway")
    people().print(f"{changed} of {all_of_them} would change.")
    if drifted := sum(bool(plan["drift"]) for plan in plans):
        differ = "differs" if drifted == 1 else "differ"
        people().print(f"{drifted} of {all_of_them} {differ} on the platform.")


def _note_unknown(plans: Sequence[Mapping[str, Any]]) -> None:
    for plan in plans:
        if why := plan.get("drift_unknown"):
            note(f"{plan['external_id']}: the platform was not asked for all: {why['message']}")
            note("  next: plan again when the platform works; what is shown is as it was made")


def _values(action: str, values: Mapping[str, Any]) -> str:
    before, after = (
        json_module.dumps(values[at], ensure_ascii=False) for at in ("before", "after")
    )
    return {"add": after, "remove": before}.get(action, f"{before} -> {after}")


def _print_rendered(plan: Mapping[str, Any]) -> None:
    """Print the device's configuration, or where it exists what would change in it."""
    console = people()
    after, before = plan["rendered"], plan.get("rendered_before")
    if "error" in after:
        console.print(Text(f"\nThe configuration cannot be rendered: {after['error']}\n", "red"))
        return
    new = after["content"].splitlines()
    if before is None:
        console.print("\nThe device will fetch:" if new else "")
        for line in new:
            console.print(Text(f"  + {line}", "green"))
        console.print("")
        return
    old = before.get("content", "").splitlines()
    if old == new:
        console.print("\nThe device's configuration stays as it is.\n")
        return
    console.print("\nThe device's configuration:")
    for line in difflib.ndiff(old, new):
        if line[0] != "?":
            console.print(Text(f"  {line}", {"+": "green", "-": "red"}.get(line[0], "")))
    console.print("")
