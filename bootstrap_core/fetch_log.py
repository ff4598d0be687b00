"""When each device last fetched its configuration, written behind the answers."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, NamedTuple

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from bootstrap_core import fetch_rows
from bootstrap_core.model import Fetch

BATCH: Final = 500
ROUNDS_TO_CATCH_UP: Final = 10


class _Noted(NamedTuple):
    at: float
    outcome: str
    digest: str
    content: str | None


class FetchLog:
    """Notes fetches in memory and writes them together, a part every second and all at the end.

    A device that asks often costs one row a round, and a round writes a tenth of what is noted
    (500 at least), so that a whole fleet that asks at once does not slow its own answers. Where
    the store fails, the notes are kept for the next round; a process that is killed loses those
    of the last few rounds.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        seconds: float = 1.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Write to ``engine`` in rounds of ``seconds``; ``clock`` gives Unix time."""
        self._engine = engine
        self._seconds = seconds
        self._clock = clock
        self._pending: dict[str, _Noted] = {}
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def note(
        self, config_id: str, outcome: str, digest: str = "", content: str | None = None
    ) -> None:
        """Note a fetch that was answered just now.

        ``content`` is what was given, masked; None where nothing was.
        """
        if content is None and (earlier := self._pending.get(config_id)):
            # A refusal is the last fetch, but not what the device was given last.
            content = earlier.content
        self._pending[config_id] = _Noted(self._clock(), outcome, digest, content)

    def pending(self, config_id: str) -> Fetch | None:
        """Return what is noted of a config and not written yet.

        Its content is None where nothing was delivered since what is written.
        """
        noted = self._pending.get(config_id)
        return _fetch(config_id, noted) if noted else None

    def start(self) -> None:
        """Begin to write, on the running event loop."""
        self._task = asyncio.create_task(self._write_on(), name="bootstrap fetch log")

    async def stop(self) -> None:
        """Write what is left and end. Raises what the store raises."""
        if self._task is not None:
            # A round that is under way comes to its end.
            self._stopping.set()
            await self._task
            self._task = None
        await self.flush()

    async def flush(self) -> None:
        """Write what is noted so far."""
        while self._pending:
            await self._write_some(BATCH)

    async def _write_some(self, count: int) -> None:
        batch = dict(itertools.islice(self._pending.items(), count))
        if not batch:
            return
        async with self._engine.begin() as connection:
            await fetch_rows.put(connection, {i: _fetch(i, noted) for i, noted in batch.items()})
        for config_id, noted in batch.items():
            if self._pending.get(config_id) is noted:
                del self._pending[config_id]

    async def _write_on(self) -> None:
        while not self._stopping.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), self._seconds)
            with contextlib.suppress(SQLAlchemyError):
                await self._write_some(max(BATCH, len(self._pending) // ROUNDS_TO_CATCH_UP))


def _fetch(config_id: str, noted: _Noted) -> Fetch:
    return Fetch(config_id, datetime.fromtimestamp(noted.at, UTC), *noted[1:])
