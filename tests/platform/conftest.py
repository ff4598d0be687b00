"""What the tests of the adapter share."""

from collections.abc import AsyncIterator

import pytest

from provision.platform.magistrala import Magistrala
from tests.embedded.conftest import database, installed, template
from tests.platform.faulty import FaultyServer, speaking_to

__all__ = ["database", "installed", "template"]


@pytest.fixture
def server() -> FaultyServer:
    return FaultyServer()


@pytest.fixture
async def platform(server: FaultyServer) -> AsyncIterator[Magistrala]:
    async with server.serving() as address, speaking_to(address) as adapter:
        yield adapter
