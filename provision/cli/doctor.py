"""``provision doctor``: asks as the device, and says what is wrong and how to put it right."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Annotated, Any, Final, Literal, TypeAlias
from urllib.parse import urlsplit

import httpx
import typer
from attrs import asdict, evolve, frozen
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import NameOID
from rich.text import Text

from bootstrap_core.credentials import external_id_fault
from bootstrap_core.formats.documents import json_fault
from bootstrap_core.secrets import Secret
from provision.cli.bootstrap import ask_as_device
from provision.cli.client import Connection, ServiceClient, ServiceRefused, connected
from provision.cli.gateways import KEY_MISSING, ExternalId
from provision.cli.output import (
    CURES,
    MEANINGS,
    REFUSED,
    Json,
    ask_secret,
    counted,
    fate_of,
    people,
    print_json,
)
from provision.pki.issuer import write_serial
from provision.pki.profiles import due_at
from provision.rights import told_scopes

ROTATE: Final = "provision map EXTERNAL_ID --on-existing rotate makes another, and another secret"
RENEW: Final = "provision cert renew {serial}; the one it has stays valid meanwhile"
AGENT: Final = (
    "Magistrala's agent takes the new one after config set,bs_valid,0 on m/DOMAIN/c/CONTROL/req, "
    "or without its cached files"
)
BROKER: Final = "give the layout the broker's address as the gateway reaches it, then rotate it"
TEMPLATE: Final = "add it to the profile's template, and look with provision plan"

Verdict: TypeAlias = Literal["right", "warning", "wrong"]


@frozen
class Check:
    """One thing that was looked at, how it stands, and how to put it right."""

    name: str
    verdict: Verdict
    message: str
    cure: str = ""


def check_content(content: str, gateway: Mapping[str, Any]) -> Iterator[Check]:
    """Yield checks of the ``content`` of a fetch, held against the ``gateway`` as it is shown."""
    try:
        document = json.loads(content)
    except ValueError as error:
        cure = 'give the profile content_format "json"; provision plan shows what it renders'
        yield Check("content", "wrong", f"the content is not JSON{json_fault(error)}", cure)
        return
    if not isinstance(document, dict):
        yield Check("content", "wrong", "the content is not a JSON object", TEMPLATE)
        return
    yield Check("content", "right", "the content is a JSON object")
    if "agent" in document and "mqtt" not in document:
        message = "the content has the form of older agents (agent, export): no more is checked"
        yield Check("agent", "warning", message, "releases of today take mqtt, telemetry, commands")
        return
    yield from _mqtt(document, gateway)
    yield from _channel(document, gateway, "telemetry", "data_id", "publish")
    yield from _channel(document, gateway, "commands", "ctrl_id", "subscribe")


def check_certificates(device: Mapping[str, Any], now: datetime) -> Iterator[Check]:
    """Yield checks of the certificate, its key and its chain, as a fetch gave them."""
    cert, key, ca = (
        str(device.get(name) or "") for name in ("client_cert", "client_key", "ca_cert")
    )
    if not cert:
        message = "no certificate: the agent logs in with its client's secret alone"
        cure = "certificate = true on the layout's gateway client"
        yield Check("certificate", "warning", message, cure)
        return
    try:
        chain = [*x509.load_pem_x509_certificates(cert.encode())]
        authorities = x509.load_pem_x509_certificates(ca.encode()) if ca else []
    except ValueError as error:
        yield Check("certificate", "wrong", f"the certificates are not PEM: {error}", ROTATE)
        return
    leaf = chain[0]
    yield _lifetime(leaf, now)
    yield _key(leaf, key)
    yield _chain([*chain, *authorities], now)
    names = [each.value for each in leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    if device.get("id") not in names:
        message = f"the certificate names {names}, not the client {device.get('id')}"
        yield Check("certificate name", "wrong", message, ROTATE)


def _mqtt(document: Mapping[str, Any], gateway: Mapping[str, Any]) -> Iterator[Check]:
    mqtt = _table(document, "mqtt")
    if not document.get("domain_id"):
        message = "domain_id is missing: the agent falls back on its own settings"
        yield Check("domain_id", "warning", message, TEMPLATE)
    if not mqtt.get("url"):
        message = "mqtt.url is missing: the agent falls back on its own settings"
        yield Check("mqtt.url", "warning", message, TEMPLATE)
    elif _is_local(str(mqtt["url"])):
        message = f"mqtt.url is {mqtt['url']}: the agent would look for the broker on its own host"
        yield Check("mqtt.url", "warning", message, BROKER)
    user = mqtt.get("client_id") or mqtt.get("username")
    clients = {each["id"]: each for each in gateway.get("clients", ())}
    if not user or not (mqtt.get("secret") or mqtt.get("password")):
        yield Check("mqtt", "wrong", "mqtt has no client_id and secret to log in with", TEMPLATE)
    elif user not in clients:
        message = f"mqtt.client_id {user} is no client of this gateway"
        cure = "bind the slot to the gateway's client, then refresh its bindings"
        yield Check("mqtt", "wrong", message, cure)
    else:
        yield Check("mqtt", "right", f"the agent logs in as {clients[user]['name']}")


def _channel(
    document: Mapping[str, Any], gateway: Mapping[str, Any], table: str, older: str, kind: str
) -> Iterator[Check]:
    found = _table(document, table).get("channel_id") or _table(document, "channels").get(older)
    if not found:
        message = f"{table}.channel_id is missing: the agent stops with malformed entity"
        yield Check(table, "wrong", message, TEMPLATE)
        return
    names = {each["id"]: each["name"] for each in gateway.get("channels", ())}
    if found not in names:
        message = f"{table}.channel_id {found} is no channel of this gateway"
        yield Check(table, "wrong", message, "bind the slot to one of the gateway's channels")
        return
    mqtt = _table(document, "mqtt")
    user = mqtt.get("client_id") or mqtt.get("username")
    allowed = {
        each
        for pair in gateway.get("connections", ())
        if (pair["client_id"], pair["channel_id"]) == (user, found)
        for each in pair["types"]
    }
    if kind not in allowed:
        message = f"the agent may not {kind} on {names[found]}"
        yield Check(
            table, "wrong", message, f'"{kind}" among the types of the layout\'s connection'
        )
        return
    yield Check(table, "right", f"{table} is {names[found]}, and the agent may {kind}")


def _is_local(url: str) -> bool:
    """Tell whether an address leads back to the host that uses it."""
    try:
        host = urlsplit(url if "//" in url else f"//{url}").hostname or ""
    except ValueError:
        return False
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _table(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = document.get(name)
    return found if isinstance(found, dict) else {}


def _lifetime(leaf: x509.Certificate, now: datetime) -> Check:
    ends = leaf.not_valid_after_utc
    renew = f"{RENEW.format(serial=write_serial(leaf.serial_number))}; {AGENT}"
    if not leaf.not_valid_before_utc <= now <= ends:
        message = f"the certificate is valid from {leaf.not_valid_before_utc} to {ends}, not now"
        return Check("certificate", "wrong", message, renew)
    if now >= due_at(leaf):
        message = f"the certificate ends at {ends}, and is due for renewal since {due_at(leaf)}"
        return Check("certificate", "warning", message, renew)
    # The agent ignores it otherwise.
    message = f"the certificate is valid until {ends}; the agent needs MG_AGENT_MQTT_MTLS=true"
    return Check("certificate", "right", message)


def _key(leaf: x509.Certificate, key: str) -> Check:
    if not key:
        message = "no private key: this is right only if the device made its own"
        return Check("key", "warning", message, "onboard it again with --on-existing rotate")
    try:
        private = serialization.load_pem_private_key(key.encode(), None)
    except (ValueError, TypeError):
        return Check("key", "wrong", "the private key is not PEM", ROTATE)
    if private.public_key() != leaf.public_key():
        return Check("key", "wrong", "the private key is of another certificate", ROTATE)
    return Check("key", "right", "the private key belongs to the certificate")


def _chain(chain: Sequence[x509.Certificate], now: datetime) -> Check:
    cure = "the device needs ca_cert up to the root; onboard it again with --on-existing rotate"
    at = chain[0]
    for _ in chain:
        if at.issuer == at.subject:
            return Check("chain", "right", f"the chain leads to {at.subject.rfc4514_string()}")
        issuer = next((each for each in chain if _issued(each, at)), None)
        if issuer is None:
            name = at.issuer.rfc4514_string()
            return Check("chain", "wrong", f"the chain lacks {name}", cure)
        if not issuer.not_valid_before_utc <= now <= issuer.not_valid_after_utc:
            name = issuer.subject.rfc4514_string()
            return Check("chain", "wrong", f"{name} is not valid now", cure)
        at = issuer
    return Check("chain", "wrong", "the chain leads to no root", cure)


def _issued(issuer: x509.Certificate, issued: x509.Certificate) -> bool:
    if issuer.subject != issued.issuer:
        return False
    try:
        issued.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


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
    if client.has_personal_token:
        message = f"a personal access token; to onboard it needs the scopes {told_scopes()}"
        yield Check("token", "right", message)
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
    """Tell whether what a device gets is what this domain has for it."""
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
    for each in drift:
        what, fields = fate_of(each), ", ".join(each["fields"])
        message = f"{what}: {fields}" if fields else what
        harmless = each["cure"] == "edit"
        cure = CURES[each["cure"]].format(external_id=gateway["external_id"])
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
