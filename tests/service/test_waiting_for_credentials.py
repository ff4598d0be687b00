"""What waits for credentials goes on with any valid request of its domain, on every route."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import httpx
from sqlalchemy import insert, select

from bootstrap_core.secrets import Secret
from provision.embedded.certificate_routes import CertificateRoutes
from provision.embedded.routes import routes as embedded_routes
from provision.layout.expansion import expand
from provision.layout.model import GatewayRequest
from provision.onboarding.creation import RandomIdentifiers
from provision.onboarding.model import Heading, Intent, Onboarding, Outcome, State
from provision.onboarding.rows import RowCodec
from provision.onboarding.tables import onboardings
from provision.store.data_directory import DataDirectory
from provision.store.database import open_engine
from tests.database import FILE, url_of
from tests.onboarding.world import LAYOUT
from tests.service.running import KEY, FaultyWire, Running, beside, embedded

PATIENCE = 60.0
LATER = timedelta(days=1)
BODY = {"external_id": "new", "external_key": KEY, "name": "new"}
URLS = {
    f"MG_PROVISION_{name}_URL": "http://platform"
    for name in ("CLIENTS", "CHANNELS", "USERS", "DOMAINS")
}


async def routes_of(running: Running) -> list[tuple[str, str]]:
    """Return the routes for people that name a domain: method and path."""
    described = (await running.http.get("/openapi.json")).json()
    found = []
    for path, operations in described["paths"].items():
        asked = {method: each for method, each in operations.items() if method != "parameters"}
        for method, operation in asked.items():
            security = operation.get("security", [])
            if "{domain_id}" in path and ({"bearer": []} in security or {"token": []} in security):
                found.append((method.upper(), path))
    return found


async def new_domain(platform: Running, number: int) -> str:
    body = {"name": f"domain {number}", "route": f"domain-{number}"}
    answer = await platform.http.post("/domains", json=body, headers=platform.headers)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def waiting(domain_id: str) -> Onboarding:
    """Return a row that can't be undone: the token of its request is gone."""
    wanted = GatewayRequest(domain_id=domain_id, external_id="gw", name=None, parameters={})
    plan = expand(LAYOUT, wanted, RandomIdentifiers())
    now = datetime.now(UTC)
    return Onboarding(
        id=str(uuid.uuid4()),
        domain_id=domain_id,
        external_id="gw",
        state=State.STUCK,
        heading=Heading.ROLL_BACK,
        outcome=Outcome.CREATED,
        actor="somebody",
        intent=Intent(plan, Secret("")),
        token=Secret(""),
        created_at=now,
        updated_at=now - LATER,
        next_attempt_at=now + LATER,
        attempts=5,
        error_code="invalid_token",
    )


async def store(directory: Path, rows: list[Onboarding]) -> None:
    codec = RowCodec(DataDirectory(directory).sealer(Secret("")))
    engine = open_engine(url_of(directory / FILE))
    try:
        async with engine.begin() as connection:
            await connection.execute(insert(onboardings), [codec.encode(row) for row in rows])
    finally:
        await engine.dispose()


async def still_waiting(directory: Path) -> set[str]:
    """Return the domains whose row did not go on."""
    engine = open_engine(url_of(directory / FILE))
    try:
        async with engine.connect() as connection:
            found = await connection.execute(
                select(onboardings.c.domain_id).where(
                    onboardings.c.external_id == "gw", onboardings.c.state != State.UNDONE.value
                )
            )
            return set(found.scalars())
    finally:
        await engine.dispose()


async def ask(running: Running, method: str, path: str, domain_id: str) -> httpx.Response:
    values: dict[str, Any] = {"json": BODY} if method in ("POST", "PUT", "PATCH") else {}
    place = path.replace("{domain_id}", domain_id)
    while "{" in place:
        before, _, rest = place.partition("{")
        place = before + str(uuid.uuid4()) + rest.partition("}")[2]
    return await running.http.request(method, place, headers=running.headers, **values)


async def all_go_on(
    running: Running, directory: Path, routes: Mapping[str, tuple[str, str]]
) -> None:
    """Ask each domain's route until what waits there goes on; fail where one never does."""
    left = dict(routes)
    until = asyncio.get_running_loop().time() + PATIENCE
    # What waits is looked for every second or so; requests before that change nothing.
    while left and asyncio.get_running_loop().time() < until:
        for domain_id, (method, path) in left.items():
            await ask(running, method, path, domain_id)
        waits = await still_waiting(directory)
        left = {each: route for each, route in left.items() if each in waits}
    assert sorted(left.values()) == []


async def test_any_valid_request_lets_it_go_on(tmp_path: Path) -> None:
    directory = tmp_path / "service"
    async with embedded(tmp_path / "platform") as platform:
        wire = FaultyWire(platform.http._transport)  # type: ignore[arg-type]
        async with beside(directory, wire, platform, **URLS) as running:
            routes = await routes_of(running)
        assert len(routes) > 50
        domains = [await new_domain(platform, number) for number in range(len(routes))]
        await store(directory, [waiting(each) for each in domains])
        async with beside(directory, wire, platform, **URLS) as running:
            await all_go_on(running, directory, dict(zip(domains, routes, strict=True)))


def routes_of_the_platform() -> list[tuple[str, str]]:
    """Return the embedded platform's routes that name a domain, and one of Mainflux's."""
    platform: Any = MagicMock()
    served = [*embedded_routes(platform), *CertificateRoutes(platform, platform).routes()]
    return [
        (method, route.path)
        for route in served
        for method in sorted((route.methods or set()) - {"HEAD"})
        if "{domain_id}" in route.path or (method, route.path) == ("GET", "/things")
    ]


async def test_any_valid_request_to_the_embedded_platform_lets_it_go_on(tmp_path: Path) -> None:
    routes = routes_of_the_platform()
    assert len(routes) > 40
    async with embedded(tmp_path) as running:
        domains = [await new_domain(running, number) for number in range(len(routes))]
    await store(tmp_path, [waiting(each) for each in domains])
    mainflux = dict(zip(routes, domains, strict=True))["GET", "/things"]
    async with embedded(tmp_path, MG_PROVISION_DOMAIN_ID=mainflux) as running:
        await all_go_on(running, tmp_path, dict(zip(domains, routes, strict=True)))
