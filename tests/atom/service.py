"""The whole service beside a double of Atom."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
from attrs import frozen

from provision.app import open_service
from provision.settings_reader import load
from tests import database
from tests.atom.world import Town, town
from tests.service.running import BASE, KEY, QUICK, FaultyWire, open_client, usual_layouts


@frozen
class BesideAtom:
    """A running service, the double beside it, and the wire between them."""

    http: httpx.AsyncClient
    there: Town
    wire: FaultyWire
    token: str

    @property
    def domain(self) -> str:
        return self.there.tenant.id

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    async def map(self, external_id: str = "gw-1", **fields: Any) -> httpx.Response:
        body = {"external_id": external_id, "external_key": KEY} | fields
        return await self.http.post(f"/{self.domain}/mapping", json=body, headers=self.headers)

    async def call(self, method: str, path: str, **fields: Any) -> httpx.Response:
        return await self.http.request(
            method, f"/{self.domain}{path}", headers=self.headers, **fields
        )

    def live(self, things: str) -> dict[str, Any]:
        """Return the live entities or resources of the tenant, by their IDs."""
        kept = getattr(self.there.double.store, things)
        return {
            each.id: each
            for each in kept.values()
            if not each.deleted and each.tenant_id == self.domain
        }


@contextlib.asynccontextmanager
async def beside_atom(
    data: Path, there: Town | None = None, **environment: str
) -> AsyncIterator[BesideAtom]:
    """Run the service beside a double of Atom."""
    there = there or town()
    wire = FaultyWire(httpx.ASGITransport(there.double.app))
    variables = {
        "MG_PROVISION_DATA": str(data),
        "MG_PROVISION_LAYOUTS": usual_layouts(),
        "MG_PROVISION_ATOM_URL": "http://atom.test",
        "MG_PROVISION_CERTS_HOURS_VALID": "700h",
    }
    loaded = load(variables | database.environment(data) | environment, {})
    database.with_schema(data / database.FILE)
    async with open_service(loaded, BASE, wire, QUICK) as service, open_client(service) as http:
        yield BesideAtom(http, there, wire, there.token.reveal())
