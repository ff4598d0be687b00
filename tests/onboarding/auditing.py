"""What an operator would find: the journal's state of a gateway, and what is there of it."""

from __future__ import annotations

import asyncio
from typing import Any

from attrs import frozen

from tests.database import ON_POSTGRESQL
from tests.service.running import KEY, Running

# On PostgreSQL the rows of a process that died are taken over when their lease of 30 seconds ends.
PATIENCE = 60.0 if ON_POSTGRESQL else 20.0


@frozen
class Found:
    """A gateway's newest row, and the names of what the platform has for it."""

    state: str
    clients: frozenset[str]
    channels: frozenset[str]
    configs: int
    fetched: int
    certificates: int
    connected: int

    @property
    def nothing(self) -> bool:
        return not (self.clients or self.channels or self.configs or self.certificates)


async def come_to_rest(running: Running, external_id: str) -> list[Any]:
    """Wait until all rows of a gateway are at rest; return them."""
    until = asyncio.get_running_loop().time() + PATIENCE
    while True:
        page = await running.get(f"/onboardings?limit=100&external_id={external_id}")
        rows: list[Any] = page["onboardings"]
        if all(each["state"] in ("done", "undone") for each in rows):
            return rows
        assert asyncio.get_running_loop().time() < until, rows
        await asyncio.sleep(0.05)


async def find(running: Running, external_id: str) -> Found:
    """Return what there is of a gateway, asked at rest."""
    rows = await come_to_rest(running, external_id)
    clients = await _named(running, "clients", external_id)
    channels = await _named(running, "channels", external_id)
    connected = 0
    for channel_id in channels:
        path = f"/{running.domain}/clients?channel={channel_id}"
        page = (await running.platform.get(path, headers=running.headers)).json()
        connected += page["total"]
    page = await running.get(f"/clients/configs?status=all&external_id={external_id}")
    valid = 0
    for client_id in await _certified(running, rows):
        listed = await running.platform.get(
            f"/{running.domain}/certs?entity_id={client_id}&limit=100", headers=running.headers
        )
        found = listed.json().get("certificates", [])
        valid += sum(not each["revoked"] for each in found)
    return Found(
        state="done" if any(each["state"] == "done" for each in rows) else "undone",
        clients=frozenset(clients.values()),
        channels=frozenset(channels.values()),
        configs=len(page["configs"]),
        fetched=(await running.fetch(external_id, KEY)).status_code if page["configs"] else 0,
        certificates=valid,
        connected=connected,
    )


async def _named(running: Running, kind: str, external_id: str) -> dict[str, str]:
    path = f"/{running.domain}/{kind}?limit=100&status=all&name={external_id}-"
    page = (await running.platform.get(path, headers=running.headers)).json()
    return {each["id"]: each["name"] for each in page.get(kind, [])}


async def _certified(running: Running, rows: list[Any]) -> set[str]:
    found: set[str] = set()
    for row in rows:
        shown = await running.get(f"/mapping/{row['external_id']}?record=true")
        found |= {each["id"] for each in shown["clients"]}
    return found
