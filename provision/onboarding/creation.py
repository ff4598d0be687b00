"""Creates a plan's resources on the platform. Every step may be repeated, after a crash too.

All IDs are chosen by the plan, so what exists under one of them is ours. A call whose outcome is
unknown is settled by reading back, never guessed.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Iterable, Sequence
from typing import TypeVar

from attrs import fields, frozen

from bootstrap_core.model import EntityKind
from bootstrap_core.secrets import Secret
from provision.layout.plan import Plan, PlannedClient, PlannedConnections, PlannedEntity
from provision.onboarding.absence import Asker, Visibility, connected_clients
from provision.onboarding.clock import Backoff, Clock, Timing
from provision.onboarding.errors import HalfMade, IdsSpent
from provision.onboarding.steps import SideEffects
from provision.platform.errors import (
    AlreadyExists,
    NameTaken,
    NotFound,
    NotPermitted,
    NotReady,
    Overloaded,
    PlatformError,
    RouteTaken,
    Spent,
    lacks,
)
from provision.platform.port import Platform, entities_of
from provision.platform.types import Connections, NewChannel, NewClient, NewEntity


class RandomIdentifiers:
    """UUIDv4 for both: Magistrala's own secrets of clients are UUIDs too."""

    def uuid(self) -> str:
        """Return a new ID."""
        return str(uuid.uuid4())

    def secret(self) -> Secret:
        """Return a new client secret (122 random bits)."""
        return Secret(str(uuid.uuid4()))


T = TypeVar("T")
New = TypeVar("New", bound=NewEntity)
TRIES = 3


@frozen
class Creation:
    """The steps forward, for one platform. Each notes what may be left of it."""

    platform: Platform
    clock: Clock
    timing: Timing

    async def create(
        self, kind: EntityKind, asker: Asker, plan: Plan, effects: SideEffects
    ) -> None:
        """Create the plan's clients or channels.

        Raises ``HalfMade``, ``IdsSpent`` and the platform's failures.
        """
        at_once = await self._create(kind, asker, plan, effects)
        if kind == "client" and not at_once:
            await all_of(self._give_secret(asker, client, effects) for client in plan.clients)

    async def _give_secret(self, asker: Asker, client: PlannedClient, effects: SideEffects) -> None:
        """Give a client its secret if it lacks it: a creation in two steps may have been cut off.

        A platform that does not show the client to the asker is believed to have given it.
        """
        token, domain_id = asker.token, asker.domain_id
        clients = self.platform.clients
        try:
            held = await clients.view(token, domain_id, client.id)
        except NotFound:
            return
        if held.secret != client.secret:
            try:
                await clients.update_secret(token, domain_id, client.id, client.secret)
            except PlatformError as error:
                effects.note_failure(error)
                raise

    async def _create(
        self, kind: EntityKind, asker: Asker, plan: Plan, effects: SideEffects
    ) -> bool:
        """Create the plan's clients or channels; tell whether one call made all of them."""
        new = NewClient if kind == "client" else NewChannel
        entities = entities_of(self.platform, kind)
        missing = [draft_of(planned, new) for planned in plan.of_kind(kind)]
        at_once = True
        visibility = Visibility(self.platform, asker)
        for last in (*[False] * (TRIES - 1), True):
            if not missing:
                return at_once
            try:
                await entities.create(asker.token, plan.domain_id, missing)
            except PlatformError as error:
                at_once = False
                effects.note_failure(error)
                taken = isinstance(error, AlreadyExists)
                # A server on the way may say "overloaded" of a request that got through.
                if error.outcome_unknown or taken or isinstance(error, Overloaded):
                    effects.note_possible(draft.id for draft in missing)
                if isinstance(error, Spent):
                    raise IdsSpent(str(error)) from error
                if not (error.outcome_unknown or taken) or isinstance(error, NameTaken):
                    raise
                # What is taken is ours and must show up; of what is unknown one look tells enough,
                # since asking for it again under the same ID can't make it twice.
                missing = await self._missing(
                    kind, missing, visibility, self._wait(error, last=last), effects
                )
                if missing and last:
                    raise await _unseen(kind, missing, visibility, error) from error
            else:
                effects.note_possible(draft.id for draft in missing)
                effects.note_created(draft.id for draft in missing)
                return at_once
        return at_once

    def _wait(self, error: PlatformError, *, last: bool) -> float:
        """Return how long something is waited for whose creation failed so."""
        if not isinstance(error, AlreadyExists):
            return 0.0
        return max(self.timing.visible_after, self.timing.settled_after if last else 0.0)

    async def _missing(
        self,
        kind: EntityKind,
        wanted: Sequence[NewEntity],
        visibility: Visibility,
        wait: float,
        effects: SideEffects,
    ) -> list[NewEntity]:
        """Return what of ``wanted`` is not there, even after ``wait`` seconds."""
        backoff = Backoff(self.clock, wait)
        while True:
            unseen = await visibility.unseen(kind, [draft.id for draft in wanted])
            effects.note_created(draft.id for draft in wanted if draft.id not in unseen)
            missing = [draft for draft in wanted if draft.id in unseen]
            if not missing or not await backoff.pause():
                return missing

    async def connections(self, token: Secret, plan: Plan, effects: SideEffects) -> None:
        """Make the plan's connections."""
        await all_of(
            self._connect(token, plan.domain_id, group, effects) for group in plan.connections
        )

    async def _connect(
        self, token: Secret, domain_id: str, group: PlannedConnections, effects: SideEffects
    ) -> None:
        connections = _connections(group)
        backoff = Backoff(self.clock, self.timing.visible_after)
        tries = 0
        while True:
            tries += 1
            try:
                await self.platform.connect(token, domain_id, connections)
            except (NotFound, NotReady) as error:
                # What was created a moment ago may not be visible yet to the one who asks, and the
                # services may not reach each other for a moment.
                if not await backoff.pause():
                    raise await self._refusal(token, domain_id, connections, error) from error
            except PlatformError as error:
                effects.note_failure(error)
                if not (error.outcome_unknown or isinstance(error, AlreadyExists)):
                    raise
                if await self._is_connected(token, domain_id, connections):
                    return
                if tries >= TRIES:
                    raise
                # What exists of it stands in the way of the rest: start afresh.
                await self._disconnect(token, domain_id, connections, effects)
            else:
                return

    async def _refusal(
        self, token: Secret, domain_id: str, wanted: Connections, error: PlatformError
    ) -> PlatformError:
        """Return what it means that these can't be connected, of which the asker made all."""
        visibility = Visibility(self.platform, Asker(token, domain_id, made_it=True))
        for channel_id in wanted.channel_ids:
            of_channel = await visibility.refusal(
                "channel", channel_id, "channel_connect_to_client"
            )
            if not isinstance(of_channel, NotPermitted):
                return of_channel
        for client_id in wanted.client_ids:
            of_client = await visibility.refusal("client", client_id, "client_connect_to_channel")
            if not isinstance(of_client, NotPermitted):
                return of_client
        if isinstance(error, NotReady):
            return error
        named = f"client {wanted.client_ids[0]} or channel {wanted.channel_ids[0]}"
        action = 'client_connect_to_channel" or "channel_connect_to_client'
        return NotPermitted(lacks(action, named), operation="connect")

    async def disconnect(
        self,
        token: Secret,
        domain_id: str,
        groups: Sequence[PlannedConnections],
        effects: SideEffects,
    ) -> None:
        """Undo connections; what is not connected is no error."""
        await all_of(
            self._disconnect(token, domain_id, _connections(group), effects) for group in groups
        )

    async def _is_connected(self, token: Secret, domain_id: str, wanted: Connections) -> bool:
        """Tell whether every one of these is connected, for all of the types."""
        channels = await all_of(
            connected_clients(self.platform, token, domain_id, channel_id, among=wanted.client_ids)
            for channel_id in wanted.channel_ids
        )
        types = set(wanted.types)
        return all(
            client_id in connected and types <= connected[client_id]
            for connected in channels
            for client_id in wanted.client_ids
        )

    async def _disconnect(
        self, token: Secret, domain_id: str, connections: Connections, effects: SideEffects
    ) -> None:
        try:
            await self.platform.disconnect(token, domain_id, connections)
        except PlatformError as error:
            effects.note_failure(error)
            raise


def _connections(group: PlannedConnections) -> Connections:
    return Connections(
        client_ids=group.client_ids,
        channel_ids=group.channel_ids,
        types=group.types,
    )


def draft_of(planned: PlannedEntity, new: type[New]) -> New:
    """Return what is to be created for a part of a plan: the fields that both have."""
    shared = {field.name: getattr(planned, field.name, None) for field in fields(new)}
    return new(**{name: value for name, value in shared.items() if value is not None})


async def _unseen(
    kind: EntityKind, missing: Sequence[NewEntity], visibility: Visibility, error: PlatformError
) -> Exception:
    """Return what it means that these can't be created, and are not shown.

    Raises ``NotPermitted``: they would not be shown if they were there.
    """
    if not isinstance(error, AlreadyExists):
        return error
    half_made = await visibility.missing(kind, [draft.id for draft in missing])
    if not half_made or isinstance(error, RouteTaken):
        return error
    return HalfMade(kind, half_made)


async def all_of(work: Iterable[Awaitable[T]]) -> list[T]:
    """Run everything side by side to its end, then raise the first error, if any.

    Nothing is cancelled when one fails: a call that is cut off would have an unknown outcome.
    """
    results = await asyncio.gather(*work, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return [result for result in results if not isinstance(result, BaseException)]
