"""A bootstrap core for tests: a database of its own, a platform in memory, an app over both."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
from attrs import evolve, field, frozen, mutable
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from bootstrap_core.core import BootstrapCore, Foundation, Options
from bootstrap_core.delivery.answers import DeliveredContent
from bootstrap_core.errors import (
    Conflict,
    Forbidden,
    Malformed,
    NotFound,
    ServiceError,
    Unauthenticated,
)
from bootstrap_core.http.answers import refusal
from bootstrap_core.keys import Cost
from bootstrap_core.model import (
    Asked,
    Caller,
    Resource,
    ResourceType,
    channel_resource,
    client_resource,
    new_id,
)
from bootstrap_core.ports import Keep, NewParts, settle_nothing
from bootstrap_core.secrets import Sealer, SealingKey, Secret
from bootstrap_core.store.tables import metadata
from provision.store.database import open_engine
from tests.database import ON_POSTGRESQL, url_of, with_schema

CHEAP = Cost(ln=4, r=1, p=1)
ENCRYPT_KEY = "v7aT0HGxJxt2gULzr3RHwf4WIf6DusPp"
OPTIONS = Options(encrypt_key=Secret(ENCRYPT_KEY), key_cost=CHEAP, refusal_step=0.0)
SEALER = Sealer([SealingKey(bytes(range(32)))])
ALICE, BOB = "alice-token", "bob-token"


@mutable
class FakePlatform:
    """Identity and Resources in memory, with the promises of the ports."""

    members: dict[str, set[str]] = field(factory=dict)
    resources: dict[tuple[str, ResourceType, str], Resource] = field(factory=dict)
    connections: set[tuple[str, str]] = field(factory=set)
    calls: list[str] = field(factory=list)

    def add_domain(self, *tokens: str) -> str:
        """Make a domain whose members have these tokens."""
        domain_id = new_id()
        self.members[domain_id] = set(tokens)
        return domain_id

    def add_client(self, domain_id: str, name: str = "a client", **values: Any) -> str:
        client_id = values.pop("client_id", None) or new_id()
        secret = Secret(values.pop("secret", "client-secret"))
        resource = client_resource(
            client_id, name=name, domain_id=domain_id, secret=secret, **values
        )
        self.resources[domain_id, ResourceType.CLIENT, client_id] = resource
        return client_id

    def add_channel(self, domain_id: str, name: str = "a channel", **values: Any) -> str:
        channel_id = values.pop("channel_id", None) or new_id()
        resource = channel_resource(channel_id, name=name, domain_id=domain_id, **values)
        self.resources[domain_id, ResourceType.CHANNEL, channel_id] = resource
        return channel_id

    async def admit(self, token: Secret, domain_id: str | None, asked: Asked) -> Caller:
        self.calls.append("identify")
        known = {each for tokens in self.members.values() for each in tokens}
        if token.reveal() not in known:
            raise Unauthenticated
        if domain_id is None:
            own = [each for each, tokens in self.members.items() if token.reveal() in tokens]
            if len(own) != 1:
                raise Malformed("name a domain")
            domain_id = own[0]
        if domain_id not in self.members:
            raise NotFound("there is no such domain")
        if token.reveal() not in self.members[domain_id]:
            raise Forbidden
        return Caller(token.reveal(), domain_id, token)

    async def permit(self, caller: Caller, asked: Asked) -> None:
        self.calls.append("permit")

    async def resolve(self, caller: Caller, kind: ResourceType, resource_id: str) -> Resource:
        self.calls.append(f"resolve {kind}")
        try:
            return self.resources[caller.domain_id, kind, resource_id]
        except KeyError:
            raise NotFound(f"no {kind} {resource_id}") from None

    async def connect(self, caller: Caller, client_id: str, channel_id: str) -> None:
        self.calls.append("connect")
        if (caller.domain_id, ResourceType.CLIENT, client_id) not in self.resources:
            raise NotFound("no such client")
        self.connections.add((client_id, channel_id))

    async def disconnect(self, caller: Caller, client_id: str, channel_id: str) -> None:
        self.calls.append("disconnect")
        self.connections.discard((client_id, channel_id))

    async def make(self, caller: Caller, parts: NewParts, keep: Keep) -> None:
        before = dict(self.resources), set(self.connections)
        try:
            if parts.client:
                self.calls.append("create client")
                self._create(caller, parts.client)
            for channel in parts.channels:
                self.calls.append("create channel")
                self._create(caller, channel)
            for channel_id in parts.connected_to:
                await self.connect(caller, parts.client_id, channel_id)
            await keep(settle_nothing)
        except BaseException:
            self.resources, self.connections = before
            raise

    def _create(self, caller: Caller, wanted: Resource) -> None:
        if any(each == wanted.id for _, _, each in self.resources):
            raise Conflict(f"{wanted.type} {wanted.id} exists")
        self.resources[caller.domain_id, wanted.type, wanted.id] = wanted


@frozen
class World:
    """A running core with its platform, two domains, and a client that speaks to it."""

    core: BootstrapCore
    engine: AsyncEngine
    platform: FakePlatform
    http: httpx.AsyncClient
    path: Path
    domain: str
    other_domain: str

    async def call(
        self, method: str, path: str, token: str = ALICE, **values: Any
    ) -> httpx.Response:
        """Send a request with a Bearer token; ``{d}`` in the path is alice's domain."""
        headers = {"Authorization": f"Bearer {token}"} | values.pop("headers", {})
        url = self.http.base_url.copy_with(raw_path=path.replace("{d}", self.domain).encode())
        return await self.http.request(method, url, headers=headers, **values)

    async def make(self, path: str, **document: Any) -> dict[str, Any]:
        """POST a document in alice's domain and return what was made."""
        answer = await self.call("POST", f"/{{d}}/clients/{path}", json=document)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    async def fetch(self, external_id: str, key: str, **headers: str) -> httpx.Response:
        """Ask for a configuration as a device; the ID goes out as it is given."""
        raw = f"/clients/bootstrap/{external_id}".encode()
        url = self.http.base_url.copy_with(raw_path=raw)
        return await self.http.get(url, headers={"Authorization": f"Client {key}"} | headers)


@contextlib.asynccontextmanager
async def running(
    directory: Path, options: Options = OPTIONS, **changes: Any
) -> AsyncIterator[World]:
    """Run a core on a new database in ``directory``."""
    platform = FakePlatform()
    async with database(directory) as engine:
        foundation = Foundation.lay(engine, SEALER, evolve(options, **changes))
        core = BootstrapCore(foundation, platform, platform)
        core.start()
        try:
            async with client_of(app_of(list(core.routes()))) as http:
                domain = platform.add_domain(ALICE)
                other = platform.add_domain(BOB)
                path = directory / "bootstrap.db"
                yield World(core, engine, platform, http, path, domain, other)
        finally:
            await core.stop()


@contextlib.asynccontextmanager
async def database(directory: Path) -> AsyncIterator[AsyncEngine]:
    """Open a new store with the core's tables."""
    file = directory / "bootstrap.db"
    if ON_POSTGRESQL:
        with_schema(file)
        engine = open_engine(url_of(file))
    else:
        engine = create_async_engine(url_of(file))
        event.listen(engine.sync_engine, "connect", _prepare)
        event.listen(engine.sync_engine, "begin", lambda each: each.exec_driver_sql("BEGIN"))
    try:
        if not ON_POSTGRESQL:
            async with engine.begin() as connection:
                await connection.run_sync(metadata.create_all)
        yield engine
    finally:
        await engine.dispose()


def _prepare(connection: Any, _: object) -> None:
    connection.isolation_level = None
    # A test's database need not survive a power cut.
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA journal_mode = WAL")


def given(text: str) -> DeliveredContent:
    """Return what a device was given, for people."""

    async def make() -> str:
        return text

    return DeliveredContent(make, len(text))


def app_of(routes: list[BaseRoute]) -> Starlette:
    """Return an app that renders errors as the service does."""
    app = Starlette(routes=routes, exception_handlers={ServiceError: render})
    app.router.redirect_slashes = False
    return app


def client_of(app: Starlette) -> httpx.AsyncClient:
    """Return a client that speaks to ``app`` without a network."""
    transport = httpx.ASGITransport(app=app)
    return httpx.AsyncClient(transport=transport, base_url="http://bootstrap.test")


async def render(_: Request, error: Any) -> Response:
    return refusal(error)
