"""What the tests of the adapter share."""

from collections.abc import AsyncIterator

import pytest

from provision.platform.magistrala.adapter import Magistrala
from tests.embedded.conftest import database, installed, template
from tests.platform.faulty import HASTY, FaultyServer, speaking_to

__all__ = ["database", "installed", "template"]


@pytest.fixture
def server() -> FaultyServer:
    return FaultyServer()


@pytest.fixture
async def platform(server: FaultyServer) -> AsyncIterator[Magistrala]:
    async with server.serving() as address, speaking_to(address) as adapter:
        yield adapter


@pytest.fixture
async def hasty(server: FaultyServer) -> AsyncIterator[Magistrala]:
    """The adapter for what never answers: it gives a call up after a second."""
    async with server.serving() as address, speaking_to(address, HASTY) as adapter:
        yield adapter
