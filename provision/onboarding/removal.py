"""Removes a plan's resources from the platform, in reverse order, until nothing is left.

Removing may be repeated: what is gone is done. That something is gone is proven as
``provision.onboarding.absence`` proves it, and believed only once what was created has had the time
to become visible.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from attrs import define, field, frozen

from bootstrap_core.model import EntityKind
from bootstrap_core.secrets import Secret
from provision.layout.plan import Plan, PlannedPair
from provision.onboarding.absence import Asker, Visibility, connection_types
from provision.onboarding.clock import Backoff, Clock, Timing
from provision.onboarding.creation import all_of
from provision.onboarding.errors import Leftover, joined, without
from provision.platform.errors import HalfDeleted, NotFound, Rejected
from provision.platform.port import CertificateAuthority, Platform, entities_of
from provision.platform.types import Connections

CLOCKS_DIFFER: Final = timedelta(minutes=1)
"""How far the platform's clock may be behind this one."""


@define
class Undoing:
    """One removal: in whose name, and what came of it.

    ``since``: what is to be removed was not made before that time. ``removed`` are the IDs that the
    platform said it removed; ``kept`` is what it marked as deleted and keeps.
    """

    asker: Asker
    visibility: Visibility
    since: datetime
    removed: set[str] = field(factory=set)
    kept: list[Leftover] = field(factory=list)

    def left_of(self, leftovers: Iterable[Leftover]) -> tuple[Leftover, ...]:
        """Return what is left when these were, until now."""
        return joined(without(leftovers, self.removed), self.kept)


@frozen
class Removal:
    """The steps back, for one platform."""

    platform: Platform
    authority: CertificateAuthority
    clock: Clock
    timing: Timing

    def begin(self, asker: Asker, since: datetime) -> Undoing:
        """Return a removal in the asker's name, of what was made ``since`` then."""
        return Undoing(asker, Visibility(self.platform, asker), since)

    async def certificates(self, token: Secret, plan: Plan) -> None:
        """Revoke every certificate of the plan's clients."""
        await all_of(
            self.authority.revoke_client_certificates(token, plan.domain_id, planned.client_id)
            for planned in plan.certificates
        )

    async def delete(
        self,
        kind: EntityKind,
        undoing: Undoing,
        plan: Plan,
        never_created: Collection[str],
        visible_at: float,
    ) -> None:
        """Delete the plan's clients (with their connections) or channels, but ``never_created``.

        Raises ``NotPermitted``: the token may not, or can't see that one is gone.
        """
        planned = [entity for entity in plan.of_kind(kind) if entity.id not in never_created]
        older: set[str] = set()
        if kind == "channel":
            older = await self._older(undoing, [entity.id for entity in planned if not entity.key])
        await all_of(
            self._delete(undoing, kind, entity.id, visible_at)
            for entity in planned
            if entity.id not in older
        )

    async def _older(self, undoing: Undoing, channel_ids: Sequence[str]) -> set[str]:
        """Return which of these channels somebody else made before."""
        found = await all_of(
            undoing.visibility.find("channel", channel_id) for channel_id in channel_ids
        )
        since = undoing.since - CLOCKS_DIFFER
        return {channel.id for channel in found if channel and channel.created_at < since}

    async def connections(
        self, undoing: Undoing, plan: Plan, never_created: Collection[str]
    ) -> None:
        """Undo the plan's connections between what is not its own, but ``never_created``."""
        await all_of(
            self._disconnect(undoing, pair)
            for pair in plan.borrowed
            if pair.id not in never_created
        )

    async def _disconnect(self, undoing: Undoing, pair: PlannedPair) -> None:
        asker = undoing.asker
        unwanted = Connections((pair.client_id,), (pair.channel_id,), pair.types)
        try:
            await self.platform.disconnect(asker.token, asker.domain_id, unwanted)
        except (NotFound, Rejected) as error:
            # One of the two may be gone, or disabled before anything was connected.
            left = await connection_types(
                self.platform, asker.token, asker.domain_id, pair.client_id, pair.channel_id
            )
            if not left.isdisjoint(pair.types):
                action = "client_connect_to_channel"
                raise await undoing.visibility.refusal("client", pair.client_id, action) from error

    async def given_up(self, undoing: Undoing, leftovers: Iterable[Leftover]) -> None:
        """Remove what can be removed of resources that were given up before, with certificates."""
        token, domain_id = undoing.asker.token, undoing.asker.domain_id
        given_up = list(leftovers)
        await all_of(
            self.authority.revoke_client_certificates(token, domain_id, leftover.id)
            for leftover in given_up
            if leftover.kind == "client"
        )
        now = self.clock.monotonic()
        await all_of(
            self._delete(undoing, leftover.kind, leftover.id, now) for leftover in given_up
        )

    async def _delete(
        self, undoing: Undoing, kind: EntityKind, identifier: str, visible_at: float
    ) -> None:
        """Delete one entity; an absence counts only from ``visible_at`` (monotonic) on."""
        wait = max(visible_at - self.clock.monotonic(), 0) + self.timing.visible_after
        backoff = Backoff(self.clock, wait)
        entities, asker = entities_of(self.platform, kind), undoing.asker
        while True:
            try:
                await entities.delete(asker.token, asker.domain_id, identifier)
            except NotFound as error:
                is_gone = await undoing.visibility.is_gone(kind, identifier)
                if is_gone and self.clock.monotonic() >= visible_at:
                    if isinstance(error, HalfDeleted):
                        undoing.kept.append(Leftover(kind, identifier, certain=True))
                    return
                if not await backoff.pause():
                    refusal = await undoing.visibility.refusal(kind, identifier, f"{kind}_delete")
                    raise refusal from error
            else:
                undoing.removed.add(identifier)
                return
