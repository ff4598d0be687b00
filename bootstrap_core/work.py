"""Work that takes long leaves the event loop, so that it keeps nobody else waiting.

One thread does it, one piece after another: Python runs one thread at a time anyway, and a second
one would only take more of the event loop's turns.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeAlias, TypeVar

from attrs import field, frozen

from bootstrap_core.errors import TooManyAtOnce

Lane: TypeAlias = tuple[str, str]
"""Who waits, and for what: an address and an external ID."""


class FairTurns:
    """Gives turns to addresses one after the other, and within each to its external IDs.

    However many attempts come from one address or for one ID, another address waits for one of
    them at most before its own.
    """

    def __init__(self, places: int) -> None:
        """Let ``places`` have a turn at once."""
        self._free = places
        self._waiting: OrderedDict[str, OrderedDict[str, deque[asyncio.Future[None]]]] = (
            OrderedDict()
        )
        self._counts: dict[str, int] = {}

    def queued(self, address: str) -> int:
        """Return how many wait from an address."""
        return self._counts.get(address, 0)

    @contextlib.asynccontextmanager
    async def turn(self, lane: Lane) -> AsyncIterator[None]:
        """Wait for a turn and have it within the block."""
        await self._wait(lane)
        try:
            yield
        finally:
            self._pass_on()

    async def _wait(self, lane: Lane) -> None:
        if self._free:
            self._free -= 1
            return
        address, name = lane
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(address, OrderedDict()).setdefault(name, deque()).append(turn)
        self._counts[address] = self._counts.get(address, 0) + 1
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        while self._waiting:
            turn = self._next()
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1

    def _next(self) -> asyncio.Future[None]:
        address, names = self._waiting.popitem(last=False)
        name, turns = names.popitem(last=False)
        turn = turns.popleft()
        if turns:
            names[name] = turns
        if names:
            self._waiting[address] = names
        self._counts[address] -= 1
        if not self._counts[address]:
            del self._counts[address]
        return turn


BRIEF_BYTES: Final = 16 * 1024
"""What is decoded on the event loop; more than that leaves it."""

MAX_BY_CALLER: Final = 4
"""Long pieces of work that one caller may have under way; more are refused, or wait."""

RETRY_AFTER: Final = 1

T = TypeVar("T")

_worker: Final = ThreadPoolExecutor(1, thread_name_prefix="long-work")


async def beside_loop(work: Callable[[], T]) -> T:
    """Return what ``work`` does, done beside the event loop; raises what it raises."""
    return await asyncio.get_running_loop().run_in_executor(_worker, work)


async def decoded(decode: Callable[[bytes], T], body: bytes) -> T:
    """Return what ``decode`` makes of ``body``: a long one is decoded beside the event loop."""
    if len(body) <= BRIEF_BYTES:
        return decode(body)
    return await beside_loop(lambda: decode(body))


def may_fail_unheard(future: asyncio.Future[T]) -> asyncio.Future[T]:
    """Return the future, of whose error nothing is logged if nobody is left to look at it."""
    future.add_done_callback(lambda done: done.cancelled() or done.exception())
    return future


@frozen
class LongWork:
    """Limits how many long pieces of work a caller has under way."""

    _max_by_caller: int = MAX_BY_CALLER
    _under_way: Counter[str] = field(factory=Counter, init=False)
    _turns: dict[str, asyncio.Semaphore] = field(factory=dict, init=False)

    async def run(self, caller: str, work: Callable[[], T]) -> T:
        """Return what ``work`` does, for somebody who can ask again.

        Raises ``TooManyAtOnce``: the caller has enough under way; and what ``work`` raises.
        """
        self.check(caller)
        return await self.run_in_turn(caller, work)

    def check(self, caller: str) -> None:
        """Raise ``TooManyAtOnce`` where the caller has enough under way."""
        if self._under_way.get(caller, 0) >= self._max_by_caller:
            raise TooManyAtOnce(RETRY_AFTER)

    async def run_in_turn(self, caller: str, work: Callable[[], T]) -> T:
        """Return what ``work`` does, having waited for other work of the same caller."""
        async with self._turn(caller):
            return await beside_loop(work)

    @contextlib.asynccontextmanager
    async def _turn(self, caller: str) -> AsyncIterator[None]:
        turns = self._turns.setdefault(caller, asyncio.Semaphore(self._max_by_caller))
        self._under_way[caller] += 1
        try:
            async with turns:
                yield
        finally:
            self._under_way[caller] -= 1
            if not self._under_way[caller]:
                del self._under_way[caller], self._turns[caller]
