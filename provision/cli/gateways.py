"""``provision map``, ``unmap``, ``show`` and ``list``: gateways, over HTTP."""

from __future__ import annotations

import contextlib
import json as json_module
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any, Final

import httpx
import typer

from bootstrap_core.model import segment
from provision.cli.client import Connection, ServiceClient, connected
from provision.cli.output import (
    MEANINGS,
    REMEDIES,
    CommandFailed,
    Json,
    ask_secret,
    confirm,
    drift_text,
    note,
    print_json,
    print_table,
)
from provision.errors import ProvisionError
from provision.onboarding.model import OnExisting

OFFER_TIMEOUT: Final = 2.0
MAX_OFFERED: Final = 100
LISTED: Final = ("external_id", "layout", "state", "outcome", "updated_at")


def external_ids(context: typer.Context, incomplete: str) -> list[str]:
    """Return the external IDs of the domain's newest gateways that begin so."""
    return _offered(context, incomplete, _external_ids)


def layout_names(context: typer.Context, incomplete: str) -> list[str]:
    """Return the names of the served layouts that begin so."""
    return _offered(context, incomplete, _layout_names)


def _external_ids(client: ServiceClient) -> Iterable[str]:
    query: dict[str, str | int] = {"state": "done", "limit": MAX_OFFERED}
    page = client.ask("GET", client.in_domain("onboardings"), query=query)
    return [str(row["external_id"]) for row in page["onboardings"]]


def _layout_names(client: ServiceClient) -> Iterable[str]:
    return [str(layout["name"]) for layout in client.ask("GET", "/layouts")["layouts"]]


def _offered(
    context: typer.Context, incomplete: str, ask: Callable[[ServiceClient], Iterable[str]]
) -> list[str]:
    given = {
        name: str(context.params.get(name) or os.environ.get(f"PROVISION_{name.upper()}", ""))
        for name in ("url", "token", "domain")
    }
    given["data"] = str(context.params.get("data") or "")
    found: Iterable[str] = ()
    with (
        contextlib.suppress(ProvisionError, httpx.HTTPError, OSError, ValueError, KeyError),
        Connection(**given).open(OFFER_TIMEOUT) as client,
    ):
        found = ask(client)
    return sorted({word for word in found if word.startswith(incomplete)})


leftovers_app = typer.Typer(rich_markup_mode=None)


@leftovers_app.command("leftovers", epilog=MEANINGS)
@connected
def leftovers(
    connection: Connection,
    *,
    forget: Annotated[
        str,
        typer.Option(
            metavar="ONBOARDING_ID",
            help="Take this onboarding off the list, once its rows are deleted.",
        ),
    ] = "",
    json: Json = False,
) -> None:
    """List what unfinished creations may have left on the platform.

    Only the platform's administrator can delete it, by these IDs.
    """
    with connection.open() as client:
        path = client.in_domain("onboardings")
        if forget:
            after = client.ask("DELETE", client.in_domain("onboardings", forget, "leftovers"))
            if json:
                print_json(after)
            else:
                note(f"onboarding {forget}: its leftovers are no longer listed")
            return
        rows = list(client.pages(path, "onboardings", {"leftovers": "true"}))
    if json:
        print_json({"onboardings": rows})
        return
    print_table(
        ("kind", "ID", "is there", "external ID", "onboarding"),
        (
            (
                left["kind"],
                left["id"],
                "yes" if left["certain"] else "perhaps",
                row["external_id"],
                row["id"],
            )
            for row in rows
            for left in row["leftovers"]
        ),
    )
    if rows:
        note("have the platform's administrator delete these rows from its database; then --forget")
    else:
        note("there are no known leftovers")


ON_EXISTING: Final = "What to do if the gateway exists."

STANDARD_INPUT: Final = "-"
"""What stands for standard input elsewhere; nobody means a gateway by it."""

KEY_MISSING: Final = "give the device's key, or set PROVISION_EXTERNAL_KEY"

ExternalId = Annotated[
    str,
    typer.Argument(metavar="EXTERNAL_ID", help="The device's own ID.", autocompletion=external_ids),
]
Params = Annotated[
    list[str] | None,
    typer.Option("--param", metavar="K=V", help="A parameter of the layout; can be repeated."),
]

app = typer.Typer(rich_markup_mode=None)


class Listed(StrEnum):
    """Which onboardings are listed."""

    PLANNED = "planned"
    DONE = "done"
    UNDOING = "undoing"
    STUCK = "stuck"
    UNDONE = "undone"
    ALL = "all"


@app.command("map", epilog=MEANINGS)
@connected
def map_gateway(
    connection: Connection,
    external_id: ExternalId,
    external_key: Annotated[
        str,
        typer.Argument(
            metavar="EXTERNAL_KEY",
            envvar="PROVISION_EXTERNAL_KEY",
            help="The device's key; without it you are asked.",
        ),
    ] = "",
    *,
    name: Annotated[str, typer.Option(help="Name of the gateway.")] = "",
    layout: Annotated[
        str, typer.Option(help="Layout; default: the service's.", autocompletion=layout_names)
    ] = "",
    param: Params = None,
    on_existing: Annotated[OnExisting, typer.Option(help=ON_EXISTING)] = OnExisting.REUSE,
    json: Json = False,
) -> None:
    """Onboard a gateway."""
    if external_id == STANDARD_INPUT:
        raise typer.BadParameter(
            '"-" is no external ID, and external IDs are not read from standard input: give the '
            "device's own ID, and one command for each device"
        )
    if external_key == STANDARD_INPUT:
        raise typer.BadParameter(
            '"-" is no external key: leave EXTERNAL_KEY out to give the key on standard input'
        )
    body: dict[str, Any] = {
        "external_id": external_id,
        "external_key": external_key or ask_secret("External key", KEY_MISSING),
        "on_existing": on_existing.value,
    }
    body |= {key: value for key, value in (("name", name), ("layout", layout)) if value}
    with connection.open() as client:
        if param:
            schema = client.ask("GET", f"/layouts/{segment(layout or 'default')}/schema")
            body["parameters"] = parameters(param, schema)
        made = client.ask("POST", client.in_domain("mapping"), body)
    if json:
        print_json(made)
        return
    print_table(("what", "name", "ID"), gateway_rows(made))
    onboarding = made["onboarding"]
    note(f"gateway {external_id}: {onboarding['outcome']} with layout {onboarding['layout']}")
    for warning in made.get("warnings", ()):
        note(f"warning: {warning['message']}")
    if "bootstrap" in made:
        note(f"the device fetches its configuration from {made['bootstrap']['url']}")


@app.command("unmap", epilog=MEANINGS)
@connected
def unmap(
    connection: Connection,
    external_id: ExternalId,
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: Json = False,
) -> None:
    """Cut a device off and remove its gateway."""
    if not (yes or json):
        question = f"Remove gateway {external_id} with all that belongs to it"
        if not confirm(question, "add --yes to remove it without being asked", default=False):
            raise CommandFailed("nothing was removed")
    with connection.open() as client:
        left = client.ask("DELETE", client.in_domain("mapping", external_id))
    if json:
        print_json(left or {"external_id": external_id, "state": "undone"})
    elif left is None:
        note(f"gateway {external_id}: nothing is left of it")
    elif left["onboarding"]["state"] == "undone":
        note(
            f"gateway {external_id}: removed, but the platform may keep rows of a creation that it "
            "did not finish"
        )
        note("provision leftovers lists it for the platform's administrator")
    else:
        note(f"gateway {external_id}: the device is cut off; the rest goes on in the background")


@app.command("show", epilog=MEANINGS)
@connected
def show(
    connection: Connection,
    external_id: ExternalId,
    *,
    live: Annotated[
        bool, typer.Option("--live", help="Compare the record with the platform as well.")
    ] = False,
    json: Json = False,
) -> None:
    """Show a gateway as it is recorded."""
    with connection.open() as client:
        path = client.in_domain("mapping", external_id)
        found = client.ask("GET", f"{path}?live=true" if live else path)
    if json:
        print_json(found)
        return
    print_table(("what", "name", "ID"), gateway_rows(found))
    for near in found.get("near", ()):
        note(f"there is another gateway {near}, whose external ID differs only in spelling")
    if not live:
        note(f"this is the record of {found['record']['as_of']}; --live asks the platform as well")
        return
    for difference in found["drift"]:
        cure = REMEDIES[difference["cure"]].format(external_id=external_id)
        note(f"{drift_text(difference)}; {cure}")
    if not found["drift"]:
        note("the platform has all of it as it is recorded")


@app.command("list", epilog=MEANINGS)
@connected
def list_gateways(
    connection: Connection,
    *,
    state: Annotated[
        Listed, typer.Option(help="Only gateways whose onboarding is in this state.")
    ] = Listed.DONE,
    layout: Annotated[
        str, typer.Option(help="Only gateways of this layout.", autocompletion=layout_names)
    ] = "",
    json: Json = False,
) -> None:
    """List the gateways of a domain, newest first."""
    with connection.open() as client:
        rows = list_rows(client, "" if state is Listed.ALL else state.value, layout)
    if json:
        print_json({"onboardings": rows})
        return
    print_table(
        ("external ID", "layout", "state", "outcome", "since"),
        ([row[column] for column in LISTED] for row in rows),
        "no gateway of this domain matches; --state all shows removed ones as well",
    )


def list_rows(client: ServiceClient, state: str, layout: str) -> Sequence[Mapping[str, Any]]:
    """Return the onboardings of the domain, those in ``state`` and of ``layout`` where given."""
    query = {"state": state, "layout": layout}
    path = client.in_domain("onboardings")
    given: Mapping[str, str | int] = {key: value for key, value in query.items() if value}
    return list(client.pages(path, "onboardings", given))


def gateway_rows(gateway: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return rows of what, name and ID for an answer of ``/mapping``."""
    clients = gateway.get("clients") or gateway.get("things") or []
    names = {resource["id"]: resource["name"] for resource in (*clients, *gateway["channels"])}
    rows = [("client", client["name"], client["id"]) for client in clients]
    rows += [("channel", channel["name"], channel["id"]) for channel in gateway["channels"]]
    for connection in gateway["connections"]:
        pair = f"{names[connection['client_id']]} - {names[connection['channel_id']]}"
        rows.append(("connection", pair, ", ".join(connection["types"])))
    for client_id in gateway.get("client_cert", {}):
        rows.append(("certificate", names[client_id], ""))
    for certificate in gateway.get("certificates", ()):
        until = f"{certificate['serial_number']}, until {certificate['expiry_time']}"
        rows.append(
            ("certificate", names.get(certificate["client_id"], certificate["client_id"]), until)
        )
    if config := gateway.get("bootstrap"):
        rows.append(("config", config["status"], config["config_id"]))
        rows += [
            ("binding", binding["slot"], binding["resource_id"]) for binding in config["bindings"]
        ]
        if fetch := config.get("last_fetch"):
            rows.append(("last fetch", fetch["outcome"], fetch["at"]))
    onboarding = gateway["onboarding"]
    rows.append(("onboarding", f"{onboarding['state']}, {onboarding['layout']}", onboarding["id"]))
    return rows


def parameters(given: Sequence[str], schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of ``K=V`` texts; ``schema`` says which are no texts.

    Raises ``CommandFailed`` and ``BadParameter``.
    """
    values: dict[str, Any] = {}
    for pair in given:
        key, equals, text = pair.partition("=")
        if not equals or not key:
            raise typer.BadParameter(f"--param {pair}: write it as name=value")
        kind = schema["properties"].get(key, {}).get("type", "string")
        values[key] = text if kind == "string" else _value(pair, text, kind)
    return values


def _value(given: str, text: str, kind: str) -> Any:  # noqa: ANN401 - JSON
    try:
        return json_module.loads(text)
    except ValueError as error:
        name = given.partition("=")[0]
        raise CommandFailed(
            f"--param {given}: must be of type {kind}", f"write it as JSON: --param {name}=..."
        ) from error
