"""``provision doctor``: plays the device, and says what is wrong and how to put it right."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import typer
from attrs import asdict, evolve
from rich.text import Text

from bootstrap_core.secret import Secret
from provision.cli.bootstrap_commands import fetch
from provision.cli.client import (
    Data,
    Domain,
    ServiceClient,
    ServiceRefused,
    Token,
    Url,
    connect,
)
from provision.cli.device_checks import Check, check_certificates, check_content
from provision.cli.drift_words import CURES, fate_of
from provision.cli.exits import MEANINGS, REFUSED
from provision.cli.gateway_commands import KEY_MISSING, ExternalId
from provision.cli.output import Json, people, print_json
from provision.cli.questions import ask_secret

MARKS: Final = {"right": ("✓", "green"), "warning": ("!", "yellow"), "wrong": ("✗", "bold red")}
_FETCH_CURES: Final = {
    403: "send the device's own key; a wrong one and an unknown device look alike",
    404: "onboard it with provision map",
    409: "the configuration cannot be rendered: provision plan shows why",
    422: "the configuration cannot be rendered: provision plan shows why",
    429: "too many wrong keys: wait as Retry-After says",
}

app = typer.Typer(rich_markup_mode=None)


@app.command("doctor", epilog=MEANINGS)
def doctor(
    external_id: ExternalId,
    *,
    key: Annotated[
        str,
        typer.Option(
            "--key",
            envvar="PROVISION_EXTERNAL_KEY",
            help="The device's key; without it you are asked.",
        ),
    ] = "",
    url: Url = "",
    token: Token = "",
    domain: Domain = "",
    data: Data = "",
    json: Json = False,
) -> None:
    """Fetch as the device would, and check all that it needs."""
    secret = Secret(key or ask_secret("External key", KEY_MISSING))
    with connect(os.environ, url, token, domain, data) as client:
        checks = [
            evolve(each, cure=each.cure.replace("EXTERNAL_ID", external_id))
            for each in _examine(client, external_id, secret)
        ]
    if json:
        print_json({"external_id": external_id, "checks": [asdict(each) for each in checks]})
    else:
        for each in checks:
            _print(each)
    if any(each.verdict == "wrong" for each in checks):
        raise typer.Exit(REFUSED)


def _examine(client: ServiceClient, external_id: str, key: Secret) -> Iterator[Check]:
    gateway: Mapping[str, Any] = {}
    try:
        gateway = client.ask("GET", client.in_domain("mapping", external_id))
    except ServiceRefused as refused:
        yield Check("gateway", "wrong", str(refused), "onboard it with provision map")
    else:
        yield from _gateway(gateway)
    try:
        device = fetch(client, external_id, key)
    except ServiceRefused as refused:
        cure = _FETCH_CURES.get(refused.status_code, refused.try_next)
        yield Check("fetch", "wrong", f"the device is refused: {refused}", cure)
    else:
        yield Check("fetch", "right", "the device is given its configuration")
        yield from check_content(str(device.get("content") or ""), gateway)
        yield from check_certificates(device, datetime.now(UTC))
    if gateway:
        yield from _platform(client, gateway)


def _gateway(gateway: Mapping[str, Any]) -> Iterator[Check]:
    onboarding = gateway["onboarding"]
    if onboarding["state"] == "done":
        yield Check("gateway", "right", f"onboarded with layout {onboarding['layout']}")
    else:
        message = f"the onboarding is {onboarding['state']}"
        message += f": {onboarding['error']['message']}" if "error" in onboarding else ""
        yield Check("gateway", "wrong", message, "onboard it again with provision map")
    config = gateway.get("bootstrap")
    if config is None:
        yield Check("config", "wrong", "there is no bootstrap config", "provision map makes one")
    elif config["status"] == "enabled":
        yield Check("config", "right", "the bootstrap config is enabled")
    else:
        body = f'{{"id": "{config["config_id"]}", "status": "enabled"}}'
        cure = f"provision bootstrap whitelist '{body}'"
        yield Check("config", "wrong", "the bootstrap config is disabled", cure)


def _platform(client: ServiceClient, gateway: Mapping[str, Any]) -> Iterator[Check]:
    """Yield what was deleted or changed on the platform since the gateway was made."""
    if gateway["onboarding"]["state"] != "done":
        return
    try:
        path = client.in_domain("mapping", gateway["external_id"], "drift")
        drift = client.ask("GET", path)["drift"]
    except ServiceRefused as refused:
        message = f"what the platform holds is not known: {refused}"
        yield Check("platform", "warning", message, refused.try_next)
        return
    for each in drift:
        what, fields = fate_of(each), ", ".join(each["fields"])
        message = f"{what}: {fields}" if fields else what
        harmless = each["cure"] == "edit"
        cure = CURES[each["cure"]].format(external_id=gateway["external_id"])
        yield Check("platform", "warning" if harmless else "wrong", message, cure)
    if not drift:
        count = len(gateway["connections"])
        yield Check("platform", "right", f"all is there on the platform, {count} connections too")


def _print(check: Check) -> None:
    mark, colour = MARKS[check.verdict]
    line = Text.assemble((f"{mark} ", colour), check.message)
    if check.cure and check.verdict != "right":
        line.append(f"; {check.cure}", "dim")
    people().print(line, soft_wrap=True)
