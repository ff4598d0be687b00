"""A client that asks the embedded authority for certificates, and an authority with a clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from provision.embedded.authority import EmbeddedAuthority
from provision.pki.keys import make_key
from provision.pki.requests import Holder, make_request
from provision.platform.types import Certificate, SigningRequest
from tests.embedded.service import Installation

HOUR = timedelta(hours=1)
START = datetime.now(UTC).replace(microsecond=0)


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


class Gateway:
    """A client of the operator's domain, and what it asks of an authority."""

    def __init__(self, installed: Installation, client_id: str) -> None:
        self.place = (installed.token, installed.operator.domain_id)
        self.client_id = client_id
        self.key = make_key()

    def request(self, ttl: timedelta = 30 * HOUR) -> SigningRequest:
        holder = Holder(self.place[1], self.client_id)
        return SigningRequest(self.client_id, make_request(self.key, holder), ttl)

    async def sign(self, authority: EmbeddedAuthority, ttl: timedelta = 30 * HOUR) -> Certificate:
        return await authority.sign(*self.place, self.request(ttl))

    async def listed(self, authority: EmbeddedAuthority) -> list[Certificate]:
        return list(await authority.list_certificates(*self.place, self.client_id))
