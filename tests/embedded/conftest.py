"""What the tests of the embedded platform share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from bootstrap_core.secrets import Secret
from provision.embedded.authority import EmbeddedAuthority
from provision.embedded.issuer_store import open_issuer
from provision.embedded.start import Operator
from provision.pki.issuer import Issuer
from provision.pki.profiles import ClientProfile
from provision.platform.types import NewClient
from tests.database import copy
from tests.embedded.gateways import START, Clock, Gateway
from tests.embedded.people import Person, person
from tests.embedded.service import SEALER, Installation, http_client, magistrala, prepare, started


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Operator]:
    """A database as the first start leaves it, to be copied for each test."""
    database = tmp_path_factory.mktemp("template") / "platform.db"
    return database, asyncio.run(prepare(database))


@pytest.fixture
def database(tmp_path: Path, template: tuple[Path, Operator]) -> tuple[Path, Operator]:
    """A database of the test's own."""
    source, operator = template
    return copy(source, tmp_path / source.name), operator


@pytest.fixture
async def installed(database: tuple[Path, Operator]) -> AsyncIterator[Installation]:
    path, operator = database
    async with started(path) as (engine, platform):
        tokens = await platform.issue_token(operator.username, operator.password)
        yield Installation(engine, platform, operator, tokens.access)


@pytest.fixture
async def http(installed: Installation) -> AsyncIterator[httpx.AsyncClient]:
    async with http_client(magistrala(installed.platform)) as client:
        yield client


@pytest.fixture
async def operator(http: httpx.AsyncClient, installed: Installation) -> Person:
    """The platform's administrator."""
    who, token = installed.operator, installed.token.reveal()
    return Person(http, who.user_id, who.username, token, "")


@pytest.fixture
async def alice(http: httpx.AsyncClient, operator: Person) -> Person:
    return await person(http, operator.access, "alice")


@pytest.fixture
async def bob(http: httpx.AsyncClient, operator: Person) -> Person:
    return await person(http, operator.access, "bob")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def issuer(installed: Installation) -> Issuer:
    return await open_issuer(installed.engine, SEALER, "Tests", START)


@pytest.fixture
def authority(installed: Installation, issuer: Issuer, clock: Clock) -> EmbeddedAuthority:
    return EmbeddedAuthority(installed.engine, installed.platform, issuer, ClientProfile(), clock)


@pytest.fixture
async def gateway(installed: Installation) -> Gateway:
    draft = NewClient(str(uuid4()), "gw", secret=Secret(str(uuid4())))
    await installed.platform.clients.create(installed.token, installed.operator.domain_id, [draft])
    return Gateway(installed, draft.id)
