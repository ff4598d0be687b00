"""``provision doctor``: asks as the device, and says what is wrong and how to put it right."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import httpx
import typer
from attrs import asdict, evolve
from rich.text import Text

from bootstrap_core.credentials import external_id_fault
from bootstrap_core.secrets import Secret
from provision.cli.bootstrap import ask_as_device
from provision.cli.client import Connection, ServiceClient, ServiceRefused, connected
from provision.cli.gateways import KEY_MISSING, ExternalId
from provision.cli.output import (
    MEANINGS,
    REFUSED,
    REMEDIES,
    Check,
    Json,
    ask_secret,
    counted,
    drift_text,
    people,
    print_json,
)

MARKS: Final = {"right": ("✓", "green"), "warning": ("!", "yellow"), "wrong": ("✗", "bold red")}
_RENDERING: Final = (
    "its configuration cannot be rendered",
    "provision plan shows why",
)
_REFUSALS: Final = {
    400: ("the external ID cannot be asked for", "onboard the device under another ID"),
    403: (
        "the external ID and the external key do not belong together, or the config is disabled",
        "send the device's own key; a wrong one and an unknown device look alike",
    ),
    404: ("there is no such route", "check that --url names this service"),
    409: _RENDERING,
    422: _RENDERING,
    429: ("too many wrong keys were sent", "wait, then try again"),
    503: ("the service has too much to do", "try again in a moment"),
}
FORBIDDEN: Final = 403
TAKEN: Final = "another domain of this service registered this external ID and key first"
ANOTHER_KEY: Final = (
    "give the device another key, with provision map EXTERNAL_ID --on-existing rotate where it is "
    "onboarded here"
)

app = typer.Typer(rich_markup_mode=None)


@app.command("doctor", epilog=MEANINGS)
@connected
def doctor(
    connection: Connection,
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
    json: Json = False,
) -> None:
    """Ask as the device does, and check everything that it needs.

    This does not count as a fetch: nothing changes for the device.
    """
    secret = Secret(key or ask_secret("External key", KEY_MISSING))
    with connection.open() as client:
        checks = [
            evolve(check, cure=check.cure.replace("EXTERNAL_ID", external_id))
            for check in _examine(client, external_id, secret)
        ]
    if json:
        print_json({"external_id": external_id, "checks": [asdict(check) for check in checks]})
    else:
        for check in checks:
            _print(check)
    if any(check.verdict == "wrong" for check in checks):
        raise typer.Exit(REFUSED)


def _found_platform(client: ServiceClient) -> Iterator[Check]:
    """Say which platform the service works with, where there is one beside it."""
    with contextlib.suppress(ServiceRefused):
        if found := client.ask("GET", "/health").get("platform"):
            features = ", ".join(found["features"]) or "no newer features"
            message = f"{found['name']} {found['release']} ({features})"
            yield Check("platform", "right", message)


def _examine(client: ServiceClient, external_id: str, key: Secret) -> Iterator[Check]:
    if client.has_personal_token:
        # The routes' table, which few need.
        from provision.rights import told_scopes

        message = f"a personal access token; to onboard it needs the scopes {told_scopes()}"
        yield Check("token", "right", message)
    yield from _found_platform(client)
    gateway: Mapping[str, Any] = {}
    if fault := external_id_fault(external_id):
        cure = "onboard the device under another ID, then remove this one with provision unmap"
        yield Check("external ID", "wrong", f"the external ID {fault}", cure)
    try:
        gateway = client.ask("GET", client.in_domain("mapping", external_id))
    except ServiceRefused as refused:
        permitted = refused.status_code != FORBIDDEN
        cure = "onboard it with provision map" if permitted else refused.try_next
        yield Check("gateway", "wrong", str(refused), cure)
    else:
        yield from _gateway(gateway)
        for near in gateway.get("near", ()):
            message = f"there is another gateway {near}, whose external ID differs only in spelling"
            cure = "if it is one device, remove the one that it does not use: provision unmap"
            yield Check("external ID", "warning", message, cure)
    answer = ask_as_device(client, "HEAD", external_id, key)
    if answer.is_error:
        yield _refusal(client, external_id, key, answer)
    elif _is_own(client, external_id, key, answer):
        yield Check("fetch", "right", "the device is given its configuration")
        yield from _given(client, external_id, gateway)
    else:
        yield Check("fetch", "wrong", f"the device is another domain's: {TAKEN}", ANOTHER_KEY)
    if gateway:
        yield from _platform(client, gateway)


def _given(client: ServiceClient, external_id: str, gateway: Mapping[str, Any]) -> Iterator[Check]:
    """Yield checks of what the device is given, which is shown to members of its domain.

    The device itself is only asked for with HEAD: a GET would count as its fetch.
    """
    # Cryptography takes a while to import, and the other commands do without it.
    from provision.cli.device_checks import check_certificates, check_content

    try:
        query = {"external_id": external_id, "status": "all"}
        found = client.ask("GET", client.in_domain("clients", "configs"), query=query)
        (config,) = found["configs"]
        path = client.in_domain("clients", "configs", config["id"], "delivery")
        device = client.ask("GET", path, query={"show_secrets": "true"})
    except ServiceRefused as refused:
        message = f"what the device is given is not shown: {refused}"
        yield Check("content", "warning", message, refused.try_next)
        return
    yield from check_content(str(device.get("content") or ""), gateway)
    yield from check_certificates(device, datetime.now(UTC))


def _refusal(client: ServiceClient, external_id: str, key: Secret, answer: httpx.Response) -> Check:
    """Return what a refusal means: the key may be right and its device another domain's."""
    status = answer.status_code
    if status == FORBIDDEN:
        here = ask_as_device(client, "HEAD", external_id, key, client.domain)
        if not here.is_error:
            return Check("fetch", "wrong", f"the device is refused: {TAKEN}", ANOTHER_KEY)
    meaning, cure = _REFUSALS.get(status, ("", "look into the service's log"))
    wait = answer.headers.get("retry-after", "")
    meaning += f" (Retry-After: {wait} s)" if wait else ""
    return Check("fetch", "wrong", f"the device is refused with {status}: {meaning}", cure)


def _is_own(client: ServiceClient, external_id: str, key: Secret, answer: httpx.Response) -> bool:
    """Return whether what a device gets is what this domain has for it."""
    here = ask_as_device(client, "HEAD", external_id, key, client.domain)
    return not here.is_error and here.headers.get("etag") == answer.headers.get("etag")


def _gateway(gateway: Mapping[str, Any]) -> Iterator[Check]:
    onboarding = gateway["onboarding"]
    if onboarding["state"] == "done":
        yield Check("gateway", "right", f"onboarded with layout {onboarding['layout']}")
    else:
        message = f"the onboarding is {onboarding['state']}"
        message += f": {onboarding['error']['message']}" if "error" in onboarding else ""
        yield Check("gateway", "wrong", message, "onboard it again with provision map")
    for left in onboarding.get("leftovers", ()):
        keeps = "keeps" if left["certain"] else "may keep"
        message = f"the platform {keeps} {left['kind']} {left['id']}, which it did not finish"
        cure = (
            "it does no harm; have the platform's administrator remove it, then "
            f"provision leftovers --forget {onboarding['id']}"
        )
        yield Check("leftovers", "warning", message, cure)
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
    for difference in drift:
        what, fields = drift_text(difference), ", ".join(difference["fields"])
        message = f"{what}: {fields}" if fields else what
        harmless = difference["cure"] == "edit"
        cure = REMEDIES[difference["cure"]].format(external_id=gateway["external_id"])
        yield Check("platform", "warning" if harmless else "wrong", message, cure)
    if not drift:
        count = len(gateway["connections"])
        yield Check(
            "platform", "right", f"all is there on the platform, {counted(count, 'connection')} too"
        )


def _print(check: Check) -> None:
    mark, colour = MARKS[check.verdict]
    line = Text.assemble((f"{mark} ", colour), check.message.rstrip("."))
    if check.cure and check.verdict != "right":
        line.append(f"; {check.cure}", "dim")
    people().print(line, soft_wrap=True)
