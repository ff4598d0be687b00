"""A core lets go of what it holds, whatever the store says at the end."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from bootstrap_core.core import BootstrapCore, Foundation
from bootstrap_core.secrets import Secret
from tests.bootstrap.world import OPTIONS, SEALER, FakePlatform, database


async def test_threads_end_though_the_last_fetches_cannot_be_written(tmp_path: Path) -> None:
    platform = FakePlatform()
    async with database(tmp_path) as engine:
        core = BootstrapCore(Foundation.lay(engine, SEALER, OPTIONS), platform, platform)
        core.fetch_log.note("a config", "delivered")
        async with engine.begin() as connection:
            await connection.execute(text("DROP TABLE fetches"))
        with pytest.raises(SQLAlchemyError):
            await core.stop()
        with pytest.raises(RuntimeError, match="shutdown"):
            await core.hasher.hash(Secret("key"))
