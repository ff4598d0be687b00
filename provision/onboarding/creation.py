"""Creates a plan's resources on the platform. Every step may be repeated, after a crash too.

All IDs are chosen by the plan, so what exists under one of them is ours. A call whose outcome is
unknown is settled by reading back, never guessed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from bootstrap_core.secret import Secret
from provision.layout.plan import Plan, PlannedConnections
from provision.onboarding.clock import Clock
from provision.onboarding.retry import Patience, Timing
from provision.onboarding.trace import Trace
from provision.platform.errors import AlreadyExists, NotFound, Overloaded, PlatformError
from provision.platform.port import Platform
from provision.platform.types import (
    ChannelQuery,
    ClientQuery,
    Connections,
    ConnectionType,
    NewChannel,
    NewClient,
    StatusFilter,
)

T = TypeVar("T")
New = TypeVar("New", NewClient, NewChannel)

TRIES = 3


class Creation:
    """The steps forward, for one platform; each notes in a trace what may be left of it."""

    def __init__(self, platform: Platform, clock: Clock, timing: Timing) -> None:
        """Take the platform and the time."""
        self._platform = platform
        self._timing = timing
        self._clock = clock

    async def clients(self, token: Secret, plan: Plan, trace: Trace) -> None:
        """Create the plan's clients."""

        async def is_there(client_id: str) -> bool:
            query = ClientQuery(id=client_id, limit=1, status=StatusFilter.ALL)
            return bool((await self._platform.list_clients(token, plan.domain_id, query)).total)

        await self._create(
            [
                NewClient(
                    id=each.id,
                    name=each.name,
                    secret=each.secret,
                    identity=each.identity or "",
                    metadata=each.metadata,
                    tags=each.tags,
                )
                for each in plan.clients
            ],
            lambda missing: self._platform.create_clients(token, plan.domain_id, missing),
            is_there,
            trace,
        )

    async def channels(self, token: Secret, plan: Plan, trace: Trace) -> None:
        """Create the plan's channels."""

        async def is_there(channel_id: str) -> bool:
            query = ChannelQuery(id=channel_id, limit=1, status=StatusFilter.ALL)
            return bool((await self._platform.list_channels(token, plan.domain_id, query)).total)

        await self._create(
            [
                NewChannel(
                    id=each.id,
                    name=each.name,
                    route=each.route or "",
                    metadata=each.metadata,
                    tags=each.tags,
                )
                for each in plan.channels
            ],
            lambda missing: self._platform.create_channels(token, plan.domain_id, missing),
            is_there,
            trace,
        )

    async def _create(
        self,
        wanted: list[New],
        create: Callable[[list[New]], Awaitable[object]],
        is_there: Callable[[str], Awaitable[bool]],
        trace: Trace,
    ) -> None:
        missing = wanted
        for last in (*[False] * (TRIES - 1), True):
            if not missing:
                return
            try:
                await create(missing)
            except PlatformError as error:
                trace.failed(error)
                taken = isinstance(error, AlreadyExists)
                # A server on the way may say "overloaded" of a request that got through.
                if error.outcome_unknown or taken or isinstance(error, Overloaded):
                    trace.may_exist(each.id for each in missing)
                if not (error.outcome_unknown or taken):
                    raise
                # What is taken is ours and must show up; of what is unknown one look tells enough,
                # since asking for it again under the same ID can't make it twice.
                wait = self._timing.visible_after if taken else 0.0
                missing = await self._missing(missing, is_there, wait)
                if missing and last:
                    raise
            else:
                trace.may_exist(each.id for each in missing)
                return

    async def _missing(
        self, wanted: list[New], is_there: Callable[[str], Awaitable[bool]], wait: float
    ) -> list[New]:
        """Return what of ``wanted`` is not there, even after ``wait`` seconds."""
        patience = Patience(self._clock, wait)
        while True:
            found = await all_of(is_there(each.id) for each in wanted)
            missing = [each for each, there in zip(wanted, found, strict=True) if not there]
            if not missing or not await patience.pause():
                return missing

    async def connections(self, token: Secret, plan: Plan, trace: Trace) -> None:
        """Make the plan's connections."""
        await all_of(
            self._connect(token, plan.domain_id, group, trace) for group in plan.connections
        )

    async def _connect(
        self, token: Secret, domain_id: str, group: PlannedConnections, trace: Trace
    ) -> None:
        connections = Connections(
            client_ids=group.client_ids,
            channel_ids=group.channel_ids,
            types=tuple(ConnectionType(each) for each in group.types),
        )
        patience = Patience(self._clock, self._timing.visible_after)
        tries = 0
        while True:
            tries += 1
            try:
                await self._platform.connect(token, domain_id, connections)
            except NotFound:
                # What was created a moment ago may not be visible yet to the one who asks.
                if not await patience.pause():
                    raise
            except PlatformError as error:
                trace.failed(error)
                unsure = error.outcome_unknown or isinstance(error, AlreadyExists)
                if not unsure or tries >= TRIES:
                    raise
                # Some of it may exist, and of what exists the types are not told: start afresh.
                await self._disconnect(token, domain_id, connections, trace)
            else:
                return

    async def _disconnect(
        self, token: Secret, domain_id: str, connections: Connections, trace: Trace
    ) -> None:
        try:
            await self._platform.disconnect(token, domain_id, connections)
        except PlatformError as error:
            trace.failed(error)
            raise


async def all_of(work: Iterable[Awaitable[T]]) -> list[T]:
    """Run everything side by side to its end, then raise the first error, if any.

    Nothing is cancelled when one fails: a call that is cut off would have an unknown outcome.
    """
    results = await asyncio.gather(*work, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return [result for result in results if not isinstance(result, BaseException)]
