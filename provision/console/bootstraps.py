"""Bootstraps: what each device fetches when it starts; listing, viewing, switching, deleting."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from attrs import frozen
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_private_key,
    load_pem_private_key,
)
from starlette.responses import Response

from bootstrap_core.model import segment
from provision.console.addresses import address
from provision.console.api import RECORD
from provision.console.directory import Choices
from provision.console.entrance import own_page
from provision.console.errors import NoDomain, Refused
from provision.console.page import PAGE, Page, offset_of, pager
from provision.console.visit import Visit
from provision.platform.types import Channel, ChannelQuery, ClientQuery

CERTIFICATE: Final = "client_cert"
KEY: Final = "client_key"
AUTHORITY: Final = "ca_cert"
FIELDS: Final = (CERTIFICATE, KEY, AUTHORITY)
PEM: Final = "-----BEGIN"


@frozen
class Finding:
    """One sentence about the field ``field``; ``kind`` is ``good``, ``doubt`` or ``wrong``."""

    field: str
    kind: str
    text: str


class NotReadable(Exception):
    """The text is not what the field wants; the message says why."""


def check(client_cert: str, client_key: str, ca_cert: str, now: datetime) -> Sequence[Finding]:
    """Return what there is to say about the three texts; an empty one says nothing."""
    findings: list[Finding] = []
    certificates = _certificates(CERTIFICATE, client_cert, now, findings)
    authorities = _certificates(AUTHORITY, ca_cert, now, findings)
    key = _key(client_key, findings)
    if key is not None and certificates:
        findings.append(_fit(key, certificates[0]))
    elif key is not None and not client_cert.strip():
        findings.append(Finding(KEY, "doubt", "There is no client certificate to this key."))
    if certificates and authorities:
        findings.append(_issued(certificates[0], authorities))
    return findings


def describe(text: str) -> str:
    """Return what a certificate is, in a line; how it looks where it can't be read."""
    try:
        first, *rest = read_certificates(text)
    except NotReadable:
        return f"not readable here ({len(text)} characters)"
    more = f", with {len(rest)} more" if rest else ""
    return f"{_name(first)}, valid until {first.not_valid_after_utc:%Y-%m-%d}{more}"


def read_certificates(text: str) -> Sequence[x509.Certificate]:
    """Read PEM, or DER in base64. Raises ``NotReadable``."""
    try:
        if PEM in text:
            return x509.load_pem_x509_certificates(text.encode())
        return [x509.load_der_x509_certificate(_decoded(text))]
    except ValueError as error:
        raise NotReadable("is no certificate: PEM or DER in base64 is wanted") from error


def _certificates(
    field: str, text: str, now: datetime, findings: list[Finding]
) -> Sequence[x509.Certificate]:
    if not text.strip():
        return []
    try:
        found = read_certificates(text)
    except NotReadable as error:
        findings.append(Finding(field, "wrong", f"The text {error}."))
        return []
    first = found[0]
    if first.not_valid_after_utc <= now:
        ended = f"{_name(first)} expired on {first.not_valid_after_utc:%Y-%m-%d}."
        findings.append(Finding(field, "doubt", ended))
    elif first.not_valid_before_utc > now:
        begins = f"{_name(first)} is not valid before {first.not_valid_before_utc:%Y-%m-%d}."
        findings.append(Finding(field, "doubt", begins))
    else:
        findings.append(Finding(field, "good", f"{describe(text)}."))
    return found


def _key(text: str, findings: list[Finding]) -> PrivateKeyTypes | None:
    if not text.strip():
        return None
    try:
        return _read_key(text)
    except NotReadable as error:
        findings.append(Finding(KEY, "wrong", f"The key {error}."))
        return None


def _read_key(text: str) -> PrivateKeyTypes:
    try:
        if PEM in text:
            return load_pem_private_key(text.encode(), None)
        return load_der_private_key(_decoded(text), None)
    except TypeError as error:
        raise NotReadable("is encrypted: give it without a passphrase") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise NotReadable("is no private key: PEM or DER in base64 is wanted") from error


def _fit(key: PrivateKeyTypes, certificate: x509.Certificate) -> Finding:
    form = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    if key.public_key().public_bytes(*form) == certificate.public_key().public_bytes(*form):
        return Finding(KEY, "good", f"{_kind(key)} key that belongs to the certificate.")
    return Finding(KEY, "wrong", "The key does not belong to the client certificate.")


def _issued(certificate: x509.Certificate, authorities: Sequence[x509.Certificate]) -> Finding:
    for authority in authorities:
        try:
            certificate.verify_directly_issued_by(authority)
        except (ValueError, TypeError, InvalidSignature):
            continue
        return Finding(AUTHORITY, "good", "It issued the client certificate.")
    return Finding(
        AUTHORITY,
        "doubt",
        "None of these issued the client certificate. That is right if the device verifies its "
        "server with another authority.",
    )


def _kind(key: PrivateKeyTypes) -> str:
    if isinstance(key, rsa.RSAPrivateKey):
        return f"RSA {key.key_size}"
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return f"EC {key.curve.name}"
    return type(key).__name__.removesuffix("PrivateKey")


def _name(certificate: x509.Certificate) -> str:
    return certificate.subject.rfc4514_string() or "A certificate without a name"


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("not base64") from error


OFFERED: Final = 50

Option = tuple[str, str, str]
"""Value, label, and what is told beside it."""


@frozen
class Offers:
    """What the platform has to offer; a search shows what the newest fifty do not."""

    directory: Choices

    async def channels(self, visit: Visit, named: str, chosen: Sequence[str]) -> Sequence[Option]:
        """Return channels with a part of this name, and those that are chosen already."""
        domain_id = _domain(visit)
        query = ChannelQuery(limit=OFFERED, name=named)
        page = await self.directory.list_channels(visit.token, domain_id, query)
        known = {each.id for each in page.items}
        missing = [each for each in dict.fromkeys(chosen) if each not in known]
        pages = await asyncio.gather(
            *(
                self.directory.list_channels(
                    visit.token, domain_id, ChannelQuery(limit=1, id=channel_id)
                )
                for channel_id in missing
            )
        )
        found = {channel.id: channel for page in pages for channel in page.items}
        kept = [_option(found[each]) if each in found else (each, each, "") for each in missing]
        return [*kept, *(_option(each) for each in page.items)]

    async def clients(self, visit: Visit) -> Sequence[Option]:
        """Return the newest clients."""
        query = ClientQuery(limit=OFFERED)
        page = await self.directory.list_clients(visit.token, _domain(visit), query)
        return [(each.id, each.name or each.id, "") for each in page.items]


def _option(channel: Channel) -> Option:
    return channel.id, channel.name or channel.id, channel.route


def _domain(visit: Visit) -> str:
    if not visit.session.domain_id:
        raise NoDomain
    return visit.session.domain_id


LIST: Final = "/console/bootstraps"
ONE: Final = LIST + "/{config_id}"
STATUSES: Final = (("all", "All"), ("enabled", "Enabled"), ("disabled", "Disabled"))
ABSENT: Final = 404
GOES: Final = (
    "The device will not find its configuration any more, and its external key is forgotten. "
    "This can't be undone."
)
STAYS: Final = "Its client, channels and certificates stay on the platform."
GATEWAYS: Final = (
    "It belongs to an onboarded gateway. To remove the gateway with all that was made for it, "
    "remove the gateway instead."
)


@frozen
class Bootstraps:
    """The configs of a domain."""

    def pages(self) -> Sequence[Page]:
        """Return the pages."""
        return [
            Page("GET", LIST, self.list),
            Page("GET", ONE, self.view),
            Page("POST", ONE + "/enable", self.enable),
            Page("POST", ONE + "/disable", self.disable),
            Page("GET", ONE + "/delete", self.ask_delete),
            Page("POST", ONE + "/delete", self.delete),
        ]

    async def list(self, visit: Visit) -> Response:
        """List configs, by status and by what is searched."""
        status, searched = visit.query("status", "all"), visit.query("q")
        status = status if status in dict(STATUSES) else "all"
        found = await _found(visit, status, searched)
        context = {
            "found": found["configs"],
            "pager": pager(visit.request, found, {"q": searched, "status": status}),
            "status": status,
            "searched": searched,
            "statuses": STATUSES,
            "here": visit.request.url.path
            + (f"?{visit.request.url.query}" if visit.request.url.query else ""),
        }
        return await visit.page("bootstraps/list.html", context)

    async def view(self, visit: Visit) -> Response:
        """Show a config with its channels and what its device did last."""
        config_id = visit.path("config_id")
        config, bindings = await asyncio.gather(
            config_of(visit, config_id), bindings_of(visit, config_id)
        )
        context = {
            "config": config,
            "client": next((each for each in bindings if is_own_client(each)), None),
            "channels": [each for each in bindings if is_chosen_channel(each)],
            "bindings": [
                each for each in bindings if each["slot"] != "thing" and not is_chosen_channel(each)
            ],
            "certificates": {
                label: describe(config[key])
                for key, label in (("client_cert", "Client certificate"), ("ca_cert", "CA"))
                if config.get(key)
            },
            "service": f"{visit.request.url.scheme}://{visit.request.url.netloc}",
            "fetched_at": "/clients/bootstrap/" + segment(config["external_id"]),
        }
        return await visit.page("bootstraps/view.html", context)

    async def enable(self, visit: Visit) -> Response:
        """Let the device fetch its configuration."""
        return await self._switch(visit, "enable", "enabled: its device may fetch now")

    async def disable(self, visit: Visit) -> Response:
        """Refuse the device its configuration."""
        return await self._switch(visit, "disable", "disabled: its device gets nothing any more")

    async def ask_delete(self, visit: Visit) -> Response:
        """Ask before a config is deleted."""
        config_id = visit.path("config_id")
        config = await config_of(visit, config_id)
        text = [GOES, STAYS]
        if await _is_of_gateway(visit, config["external_id"]):
            text.append(GATEWAYS)
        context = {
            "title": f"Delete {name_of(config)}?",
            "text": text,
            "action": address("bootstraps", config_id, "delete"),
            "label": "Delete",
            "back": address("bootstraps", config_id),
            "fields": {},
        }
        return await visit.page("confirm.html", context)

    async def delete(self, visit: Visit) -> Response:
        """Delete a config."""
        config_id = visit.path("config_id")
        config = await config_of(visit, config_id)
        await visit.api.in_domain.delete("clients", "configs", config_id)
        return await visit.done(LIST, f"{name_of(config)} was deleted.")

    async def _switch(self, visit: Visit, verb: str, said: str) -> Response:
        config_id = visit.path("config_id")
        config = await visit.api.in_domain.post("clients", "configs", config_id, verb)
        wanted = visit.form.text("back")
        back = own_page(wanted) if wanted else address("bootstraps", config_id)
        return await visit.done(back, f"{name_of(config)} is {said}.")


async def config_of(visit: Visit, config_id: str) -> Mapping[str, Any]:
    """Return a config as the API shows it. Raises ``Refused``."""
    config: Mapping[str, Any] = await visit.api.in_domain.get("clients", "configs", config_id)
    return config


async def bindings_of(visit: Visit, config_id: str) -> Sequence[Mapping[str, Any]]:
    """Return a config's bindings as the API shows them. Raises ``Refused``."""
    found = await visit.api.in_domain.get(
        "clients", "bootstrap", "enrollments", config_id, "bindings"
    )
    bindings: Sequence[Mapping[str, Any]] = found["bindings"]
    return bindings


def is_own_client(binding: Mapping[str, Any]) -> bool:
    """Tell whether a binding is the client that its config is named after."""
    return bool(binding["type"] == "client" and binding["resource_id"] == binding["config_id"])


def is_chosen_channel(binding: Mapping[str, Any]) -> bool:
    """Tell whether a binding is a channel that was chosen by hand, not one for a profile's slot."""
    return bool(
        binding["type"] == "channel" and binding["slot"] == f"channel-{binding['resource_id']}"
    )


def name_of(config: Mapping[str, Any]) -> str:
    """Return what a config is called."""
    return str(config.get("name") or config["external_id"])


async def _found(visit: Visit, status: str, searched: str) -> Mapping[str, Any]:
    """Return a page of configs: by a part of the name, else by the whole external ID or ID."""
    page: dict[str, str | int] = {
        "status": status,
        "offset": offset_of(visit.request),
        "limit": PAGE,
    }
    wanted = [{"name": searched}, {"external_id": searched}, {"id": searched}] if searched else [{}]
    found: Mapping[str, Any] = {"total": 0, "configs": []}
    for each in wanted:
        found = await visit.api.in_domain.get("clients", "configs", query=page | each)
        if found["total"]:
            break
    return found


async def _is_of_gateway(visit: Visit, external_id: str) -> bool:
    try:
        await visit.api.in_domain.get("mapping", external_id, query=RECORD)
    except Refused as error:
        if error.status == ABSENT:
            return False
        raise
    return True
