"""When each device last fetched its configuration, written behind the answers."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final, NamedTuple

from attrs import frozen
from sqlalchemy.ext.asyncio import AsyncEngine

from bootstrap_core.delivery.answers import DeliveredContent
from bootstrap_core.model import Fetch
from bootstrap_core.store import fetch_rows

BATCH: Final = 500
ROUNDS_TO_CATCH_UP: Final = 10
NOTE_BYTES: Final = 500
"""What a note takes besides its content."""


@frozen
class Room:
    """What may be noted and not written yet; the oldest notes give way."""

    notes: int = 100_000
    size: int = 64 * 1024 * 1024


class _Noted(NamedTuple):
    at: float
    outcome: str
    digest: str
    content: DeliveredContent | None
    size: int


class FetchLog:
    """Notes fetches in memory and writes them together, a part every second and all at the end.

    A device that asks often costs one row a round, and a round writes a tenth of what is noted
    (500 at least), so that a whole fleet that asks at once does not slow its own answers. Where
    the store fails, the notes are kept for the next round, as many as there is room for; a process
    that is killed loses those of the last few rounds. ``dropped`` counts what found no room.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        seconds: float = 1.0,
        clock: Callable[[], float] = time.time,
        room: Room | None = None,
    ) -> None:
        """Write to ``engine`` in rounds of ``seconds``; ``clock`` gives Unix time."""
        self._engine = engine
        self._seconds = seconds
        self._clock = clock
        self._room = room or Room()
        self._pending: dict[str, _Noted] = {}
        self._size = 0
        self.dropped = 0
        self._is_failing = self._is_dropping = False
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._log = logging.getLogger(__name__)

    def note(
        self,
        config_id: str,
        outcome: str,
        digest: str = "",
        content: DeliveredContent | None = None,
    ) -> None:
        """Note a fetch that was answered just now.

        ``content`` is what was given, for people; None where nothing was.
        """
        earlier = self._pending.get(config_id)
        if earlier is not None:
            self._size -= earlier.size
            if content is None:
                # A refusal is the last fetch, but not what the device was given last.
                content = earlier.content
        if content is not None and content.is_stored:
            content = None
        size = NOTE_BYTES + (content.size if content else 0)
        self._pending[config_id] = _Noted(self._clock(), outcome, digest, content, size)
        self._size += size
        if self._size > self._room.size or len(self._pending) > self._room.notes:
            self._make_room()

    def pending(self, config_id: str) -> Fetch | None:
        """Return what is noted of a config and not written yet, without its content."""
        noted = self._pending.get(config_id)
        return _fetch(config_id, noted) if noted else None

    async def content(self, config_id: str) -> str | None:
        """Return what the device was given last; None where the store has it, or nobody."""
        noted = self._pending.get(config_id)
        return await noted.content.text() if noted and noted.content else None

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

    def _make_room(self) -> None:
        while self._size > self._room.size or len(self._pending) > self._room.notes:
            self._forget(next(iter(self._pending)))
            self.dropped += 1
        if not self._is_dropping:
            self._is_dropping = True
            self._log.warning(
                "more fetches are noted than there is room for: the oldest are dropped until the "
                "store takes them again"
            )

    def _forget(self, config_id: str) -> None:
        self._size -= self._pending.pop(config_id).size

    async def _write_some(self, count: int) -> None:
        batch = dict(itertools.islice(self._pending.items(), count))
        if not batch:
            return
        wanted = await self._put(batch, {})
        if wanted:
            # Made outside of transactions: it may take long.
            contents = {config_id: await self._made(batch[config_id]) for config_id in wanted}
            await self._put({config_id: batch[config_id] for config_id in wanted}, contents)
        self._is_failing = self._is_dropping = False

    async def _put(self, batch: Mapping[str, _Noted], contents: Mapping[str, str]) -> set[str]:
        """Write notes; return the configs of those that can't be without their contents."""
        last = {config_id: _fetch(config_id, noted) for config_id, noted in batch.items()}
        unmade = {key for key, noted in batch.items() if noted.content and key not in contents}
        async with self._engine.begin() as connection:
            written = await fetch_rows.put(connection, last, contents, unmade)
        for config_id, noted in batch.items():
            if config_id in written.wanted:
                continue
            if noted.content is not None and config_id in written.stored:
                noted.content.let_go()
            if self._pending.get(config_id) is noted:
                self._forget(config_id)
        return written.wanted

    async def _made(self, noted: _Noted) -> str:
        """Return the content of a note; empty where there is none, or it can't be made."""
        try:
            return (await noted.content.text() if noted.content else None) or ""
        except Exception:
            # Without the error's text, which may quote what the content is made of.
            self._log.error("the content that a device fetched can't be shown")
            return ""

    async def _write_on(self) -> None:
        while not self._stopping.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), self._seconds)
            try:
                await self._write_some(max(BATCH, len(self._pending) // ROUNDS_TO_CATCH_UP))
            except Exception:
                if not self._is_failing:
                    self._is_failing = True
                    self._log.exception("fetches are not written; the next round tries again")


def _fetch(config_id: str, noted: _Noted) -> Fetch:
    return Fetch(config_id, datetime.fromtimestamp(noted.at, UTC), noted.outcome, noted.digest)
