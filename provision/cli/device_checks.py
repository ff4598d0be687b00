"""What Magistrala's device agent requires of what it fetches. Pure: nothing is asked here."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Literal, TypeAlias

from attrs import frozen
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import NameOID

SOON: Final = timedelta(days=30)
RENEW: Final = "provision map EXTERNAL_ID --on-existing rotate (or reissue it with provision cert)"
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
        yield Check("content", "wrong", f"the content is not JSON: {error}", cure)
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
        message = "no certificate: the agent keeps no copy and asks again at every start"
        cure = "certificate = true on the layout's gateway client"
        yield Check("certificate", "warning", message, cure)
        return
    try:
        chain = [*x509.load_pem_x509_certificates(cert.encode())]
        authorities = x509.load_pem_x509_certificates(ca.encode()) if ca else []
    except ValueError as error:
        yield Check("certificate", "wrong", f"the certificates are not PEM: {error}", RENEW)
        return
    leaf = chain[0]
    yield _lifetime(leaf, now)
    yield _key(leaf, key)
    yield _chain([*chain, *authorities], now)
    names = [each.value for each in leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    if device.get("id") not in names:
        message = f"the certificate names {names}, not the client {device.get('id')}"
        yield Check("certificate name", "wrong", message, RENEW)


def _mqtt(document: Mapping[str, Any], gateway: Mapping[str, Any]) -> Iterator[Check]:
    mqtt = _table(document, "mqtt")
    if not document.get("domain_id"):
        message = "domain_id is missing: the agent falls back on its own settings"
        yield Check("domain_id", "warning", message, TEMPLATE)
    if not mqtt.get("url"):
        message = "mqtt.url is missing: the agent falls back on its own settings"
        yield Check("mqtt.url", "warning", message, TEMPLATE)
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


def _table(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = document.get(name)
    return found if isinstance(found, dict) else {}


def _lifetime(leaf: x509.Certificate, now: datetime) -> Check:
    ends = leaf.not_valid_after_utc
    if not leaf.not_valid_before_utc <= now <= ends:
        message = f"the certificate is valid from {leaf.not_valid_before_utc} to {ends}, not now"
        return Check("certificate", "wrong", message, RENEW)
    if ends - now < SOON:
        return Check("certificate", "warning", f"the certificate ends soon, at {ends}", RENEW)
    return Check("certificate", "right", f"the certificate is valid until {ends}")


def _key(leaf: x509.Certificate, key: str) -> Check:
    if not key:
        message = "no private key: right only where the device made its own"
        return Check("key", "warning", message, "the agent keeps no copy without one")
    try:
        private = serialization.load_pem_private_key(key.encode(), None)
    except (ValueError, TypeError):
        return Check("key", "wrong", "the private key is not PEM", RENEW)
    if private.public_key() != leaf.public_key():
        return Check("key", "wrong", "the private key is of another certificate", RENEW)
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
