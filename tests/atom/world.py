"""A double of Atom with a person who administers a tenant, and the adapter that speaks to it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Final

import httpx
from attrs import frozen

from bootstrap_core.secrets import Secret
from provision.platform.atom.adapter import Atom
from provision.platform.atom.calls import Endpoint
from provision.platform.atom.certificates import AtomCertificates
from provision.platform.calls import TransportSettings
from provision.platform.transport import Transport
from tests.atom.double import AtomDouble
from tests.atom.records import ADMINISTRATOR, Thing

PASSWORD: Final = "alice-password"
MAXIMUM: Final = timedelta(days=30)


@frozen
class Town:
    """The double, and alice, who administers ``tenant``."""

    double: AtomDouble
    alice: Thing
    tenant: Thing
    administrator: Thing

    @property
    def token(self) -> Secret:
        return Secret(self.double.token_of(self.alice))


def town() -> Town:
    double = AtomDouble()
    administrator = double.person("admin", "admin-password", ADMINISTRATOR)
    alice = double.person("alice", PASSWORD)
    return Town(double, alice, double.tenant_of(alice, "factory"), administrator)


@frozen
class Speaking:
    """The adapter on a double, and the wire between them."""

    atom: Atom
    certificates: AtomCertificates
    transport: Transport


@contextlib.asynccontextmanager
async def speaking_to(
    double: AtomDouble,
    wire: httpx.AsyncBaseTransport | None = None,
    settings: TransportSettings | None = None,
) -> AsyncIterator[Speaking]:
    """Give the adapter that speaks to a double."""
    wire = wire or httpx.ASGITransport(app=double.app)
    settings = settings or TransportSettings(attempts=1)
    async with Transport(Endpoint("http://atom.test"), settings, wire) as transport:
        atom = Atom(transport)
        yield Speaking(atom, AtomCertificates(atom.graph, MAXIMUM), transport)
