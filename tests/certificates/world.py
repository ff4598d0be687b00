"""A service whose time can be set, with layouts of its own, and a device that makes requests."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from attrs import define, frozen
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from provision.app import open_service
from provision.onboarding.clock import SystemClock
from provision.settings_reader import load
from tests import database
from tests.service.running import BASE, QUICK, FaultyWire, Running, open_client, sign_in

LAYOUT = """
[layout]
name = "%(name)s"

[[clients]]
key = "agent"
name = "{{ .ExternalID }}-agent"
bootstrap = true
certificate = true

[[clients]]
key = "meter"
name = "{{ .ExternalID }}-meter"

[certificates]
ttl = "240h"
renew = "%(renew)s"

[profile]
name = "%(name)s"
content_format = "json"
content_template_file = "device.json.tmpl"
[[profile.binding_slots]]
name = "identity"
type = "certificate"
required = true

[[bindings]]
slot = "identity"
certificate = "agent"
"""
TEMPLATE = """{
  "certificate": {{ toJSON .Bindings.identity.Snapshot.certificate }},
  "key": {{ toJSON .Bindings.identity.Secret.private_key }}
}"""
LIFE = timedelta(hours=240)
MADE = -timedelta(days=30)
"""When the gateways of these tests are made, from now."""


@define
class SettableClock(SystemClock):
    """The machine's time, moved by ``offset``."""

    offset: timedelta = timedelta(0)

    def now(self) -> datetime:
        return super().now() + self.offset


@frozen
class Device:
    """Makes its own key and requests."""

    key: ec.EllipticCurvePrivateKey

    @classmethod
    def new(cls) -> Device:
        return cls(ec.generate_private_key(ec.SECP256R1()))

    def request(self, common_name: str = "") -> str:
        names = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)] if common_name else []
        builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(names))
        return builder.sign(self.key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()

    def has(self, certificate: str) -> bool:
        """Say whether the certificate is for the device's key."""
        return public(read(certificate).public_key()) == public(self.key.public_key())


def public(key: Any) -> bytes:
    octets: bytes = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return octets


def read(pem: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pem.encode())


def write_layouts(directory: Path) -> Path:
    directory.mkdir(exist_ok=True)
    (directory / "device.json.tmpl").write_text(TEMPLATE)
    for name, renew in (("auto", "auto"), ("manual", "manual")):
        (directory / f"{name}.toml").write_text(LAYOUT % {"name": name, "renew": renew})
    return directory


@contextlib.asynccontextmanager
async def serving(
    directory: Path,
    clock: SettableClock,
    platform: Running | None = None,
    wire: FaultyWire | None = None,
    **environment: str,
) -> AsyncIterator[Running]:
    """Run the service; ``platform`` is one that it reaches over ``wire``."""
    data = directory / "data"
    variables = {
        "MG_PROVISION_DATA": str(data),
        "MG_PROVISION_LAYOUTS": str(write_layouts(directory / "layouts")),
        "MG_PROVISION_LAYOUT": "auto",
    }
    database.with_schema(data / database.FILE)
    loaded = load(variables | database.environment(data) | environment, {})
    async with (
        open_service(loaded, BASE, wire, QUICK, clock) as service,
        open_client(service) as http,
    ):
        if platform:
            yield Running(http, platform.http, platform.domain, platform.token, wire)
        else:
            yield Running(http, http, service.operator_domain, await sign_in(http, data))


async def post(running: Running, path: str, **fields: Any) -> Any:
    return await running.http.post(f"/{running.domain}{path}", json=fields, headers=running.headers)


async def certificates(running: Running, external_id: str = "gw-1") -> list[dict[str, Any]]:
    """Return the gateway's certificates, the one in use first."""
    page = await running.get(f"/cert?external_id={external_id}")
    return sorted(page["certificates"], key=lambda each: not each["in_use"])


async def delivered(running: Running, external_id: str = "gw-1") -> dict[str, Any]:
    """Return what the device gets: its config's fields and its content."""
    answer = (await running.fetch(external_id)).json()
    return {**answer, "content": json.loads(answer["content"])}


async def eventually(condition: Callable[[], Awaitable[bool]], seconds: float = 10.0) -> None:
    """Wait until a condition holds."""
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110 - what is waited for is told by HTTP
            await asyncio.sleep(0.1)
