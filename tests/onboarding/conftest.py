from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from sqlalchemy import Engine

from tests.onboarding.layouts import write_layouts
from tests.onboarding.world import new_database
from tests.service.running import Running, beside_platform


@pytest.fixture
async def beside(tmp_path: Path) -> AsyncIterator[Running]:
    """The service beside a platform that can fail, certificates included."""
    async with beside_platform(
        tmp_path,
        MG_PROVISION_CERTS_URL="http://platform",
        MG_PROVISION_LAYOUTS=str(write_layouts(tmp_path)),
    ) as service:
        yield service


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def of_module(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    directory = tmp_path_factory.mktemp("service")
    async with beside_platform(
        directory,
        MG_PROVISION_CERTS_URL="http://platform",
        MG_PROVISION_LAYOUTS=str(write_layouts(directory)),
    ) as service:
        yield service


@pytest.fixture
def shared(of_module: Running) -> Iterator[Running]:
    """The same, for all tests of a module; what one lets fail ends with it."""
    yield of_module
    assert of_module.wire
    of_module.wire.faults.clear()


@pytest.fixture(scope="module")
def database() -> Iterator[Engine]:
    """A database in memory, for worlds on virtual time."""
    database = new_database()
    yield database
    database.dispose()
