"""What the tests of the embedded platform share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.embedded.people import Person, person
from tests.embedded.service import Installation, http_client, installation, magistrala


@pytest.fixture
async def installed(tmp_path: Path) -> AsyncIterator[Installation]:
    async with installation(tmp_path) as started:
        yield started


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
