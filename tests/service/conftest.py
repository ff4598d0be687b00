from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.service.running import Running, beside_platform, embedded


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    """The service on its embedded platform."""
    async with embedded(tmp_path / "data") as service:
        yield service


@pytest.fixture
async def beside(tmp_path: Path) -> AsyncIterator[Running]:
    """The service beside a platform that can fail."""
    async with beside_platform(tmp_path) as service:
        yield service
