"""What ``provision doctor`` checks of a device's configuration and certificates."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import NameOID

from bootstrap_core.formats.documents import json_fault
from provision.cli.output import Check
from provision.pki.issuer import write_serial
from provision.pki.profiles import due_at

ROTATE: Final = "provision map EXTERNAL_ID --on-existing rotate makes another, and another secret"
RENEW: Final = "provision cert renew {serial}; the one it has stays valid meanwhile"
AGENT: Final = (
    "Magistrala's agent takes the new one after config set,bs_valid,0 on m/DOMAIN/c/CONTROL/req, "
    "or without its cached files"
)
BROKER: Final = "give the layout the broker's address as the gateway reaches it, then rotate it"
TEMPLATE: Final = "add it to the profile's template, and look with provision plan"


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
    names = [
        attribute.value for attribute in leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    ]
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
    clients = {client["id"]: client for client in gateway.get("clients", ())}
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
    names = {channel["id"]: channel["name"] for channel in gateway.get("channels", ())}
    if found not in names:
        message = f"{table}.channel_id {found} is no channel of this gateway"
        yield Check(table, "wrong", message, "bind the slot to one of the gateway's channels")
        return
    mqtt = _table(document, "mqtt")
    user = mqtt.get("client_id") or mqtt.get("username")
    allowed = {
        allowed_type
        for pair in gateway.get("connections", ())
        if (pair["client_id"], pair["channel_id"]) == (user, found)
        for allowed_type in pair["types"]
    }
    if kind not in allowed:
        message = f"the agent may not {kind} on {names[found]}"
        yield Check(
            table, "wrong", message, f'"{kind}" among the types of the layout\'s connection'
        )
        return
    yield Check(table, "right", f"{table} is {names[found]}, and the agent may {kind}")


def _is_local(url: str) -> bool:
    """Return whether an address leads back to the host that uses it."""
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
        issuer = next((certificate for certificate in chain if _issued(certificate, at)), None)
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
