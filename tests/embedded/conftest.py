"""What the tests of the embedded platform share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.embedded.service import Installation, http_client, installation, magistrala


@pytest.fixture
async def installed(tmp_path: Path) -> AsyncIterator[Installation]:
    async with installation(tmp_path) as started:
        yield started


@pytest.fixture
async def http(installed: Installation) -> AsyncIterator[httpx.AsyncClient]:
    async with http_client(magistrala(installed.platform)) as client:
        yield client
