"""What the tests of the bootstrap core share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.bootstrap.world import World, running
from tests.embedded.conftest import database, installed, template

__all__ = ["database", "installed", "template", "world"]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with running(tmp_path) as started:
        yield started
