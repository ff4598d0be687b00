"""What the tests of the embedded platform share."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from provision.embedded.first_start import Operator
from tests.embedded.people import Person, person
from tests.embedded.service import Installation, http_client, magistrala, prepare, started


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Operator]:
    """A database as the first start leaves it, to be copied for each test."""
    database = tmp_path_factory.mktemp("template") / "platform.db"
    return database, asyncio.run(prepare(database))


@pytest.fixture
def database(tmp_path: Path, template: tuple[Path, Operator]) -> tuple[Path, Operator]:
    """A database of the test's own."""
    source, operator = template
    return Path(shutil.copy(source, tmp_path)), operator


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
