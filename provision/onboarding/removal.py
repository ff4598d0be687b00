"""Removes a plan's resources from the platform, in reverse order, until nothing is left.

Removing may be repeated: what is gone is done. That something is gone is proven as
``provision.onboarding.absence`` proves it, and believed only once what was created has had the time
to become visible.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from attrs import define, field

from bootstrap_core.secrets import Secret
from provision.layout.plan import Plan, PlannedPair
from provision.onboarding.absence import Asker, Sight, connection_types, listed
from provision.onboarding.clock import Clock, Patience, Timing
from provision.onboarding.creation import all_of
from provision.onboarding.errors import Kind, Leftover, joined, without
from provision.platform.errors import HalfDeleted, NotFound, Rejected
from provision.platform.port import CertificateAuthority, Platform
from provision.platform.types import Connections, ConnectionType

CLOCKS_DIFFER: Final = timedelta(minutes=1)
"""How far the platform's clock may be behind this one."""


@define
class Undoing:
    """One removal: in whose name, and what came of it.

    ``since``: what is to be removed was not made before that time. ``removed`` are the IDs that the
    platform said it removed; ``kept`` is what it marked as deleted and keeps.
    """

    asker: Asker
    sight: Sight
    since: datetime
    removed: set[str] = field(factory=set)
    kept: list[Leftover] = field(factory=list)

    def left_of(self, leftovers: Iterable[Leftover]) -> tuple[Leftover, ...]:
        """Return what is left when these were, until now."""
        return joined(without(leftovers, self.removed), self.kept)


class Removal:
    """The steps back, for one platform."""

    def __init__(
        self, platform: Platform, authority: CertificateAuthority, clock: Clock, timing: Timing
    ) -> None:
        """Take the platform, the authority that revokes, and the time."""
        self._platform = platform
        self._authority = authority
        self._clock = clock
        self._timing = timing

    def begin(self, asker: Asker, since: datetime) -> Undoing:
        """Return a removal in the asker's name, of what was made ``since`` then."""
        return Undoing(asker, Sight(self._platform, asker), since)

    async def certificates(self, token: Secret, plan: Plan) -> None:
        """Revoke every certificate of the plan's clients."""
        await all_of(
            self._authority.revoke_client_certificates(token, plan.domain_id, each.client_id)
            for each in plan.certificates
        )

    async def clients(
        self, undoing: Undoing, plan: Plan, spared: Collection[str], visible_at: float
    ) -> None:
        """Delete the plan's clients, and with them their connections, except ``spared`` IDs.

        Raises ``NotPermitted``: the token may not, or can't see that one is gone.
        """
        await all_of(
            self._delete(undoing, "client", client.id, visible_at)
            for client in plan.clients
            if client.id not in spared
        )

    async def channels(
        self, undoing: Undoing, plan: Plan, spared: Collection[str], visible_at: float
    ) -> None:
        """Delete the plan's channels, except ``spared`` IDs; raises as ``clients`` does."""
        asked = [channel for channel in plan.channels if channel.id not in spared]
        chosen = [channel.id for channel in asked if not channel.key]
        kept = {*spared, *await self._older(undoing, chosen)}
        await all_of(
            self._delete(undoing, "channel", channel.id, visible_at)
            for channel in plan.channels
            if channel.id not in kept
        )

    async def _older(self, undoing: Undoing, channel_ids: Sequence[str]) -> set[str]:
        """Return which of these channels somebody else made before."""
        asker = undoing.asker
        found = await all_of(
            listed(self._platform, asker.token, asker.domain_id, "channel", channel_id)
            for channel_id in channel_ids
        )
        since = undoing.since - CLOCKS_DIFFER
        return {channel.id for channel in found if channel and channel.created_at < since}

    async def connections(self, undoing: Undoing, plan: Plan, spared: Collection[str]) -> None:
        """Undo the plan's connections between what is not its own, except ``spared`` ones."""
        await all_of(
            self._disconnect(undoing, pair) for pair in plan.borrowed if pair.id not in spared
        )

    async def _disconnect(self, undoing: Undoing, pair: PlannedPair) -> None:
        asker = undoing.asker
        types = tuple(ConnectionType(kind) for kind in pair.types)
        unwanted = Connections((pair.client_id,), (pair.channel_id,), types)
        try:
            await self._platform.disconnect(asker.token, asker.domain_id, unwanted)
        except (NotFound, Rejected) as error:
            # One of the two may be gone, or disabled before anything was connected.
            left = await connection_types(
                self._platform, asker.token, asker.domain_id, pair.client_id, pair.channel_id
            )
            if not left.isdisjoint(types):
                action = "client_connect_to_channel"
                raise await undoing.sight.refusal("client", pair.client_id, action) from error

    async def given_up(self, undoing: Undoing, leftovers: Iterable[Leftover]) -> None:
        """Remove what can be removed of resources that were given up before, with certificates."""
        token, domain_id = undoing.asker.token, undoing.asker.domain_id
        given_up = list(leftovers)
        clients = [each.id for each in given_up if each.kind == "client"]
        await all_of(
            self._authority.revoke_client_certificates(token, domain_id, each) for each in clients
        )
        now = self._clock.monotonic()
        await all_of(self._delete(undoing, each.kind, each.id, now) for each in given_up)

    async def _delete(
        self, undoing: Undoing, kind: Kind, identifier: str, visible_at: float
    ) -> None:
        """Delete one thing; an absence counts only from ``visible_at`` (monotonic) on."""
        wait = max(visible_at - self._clock.monotonic(), 0) + self._timing.visible_after
        patience = Patience(self._clock, wait)
        delete = self._deletion(undoing.asker, kind)
        while True:
            try:
                await delete(identifier)
            except NotFound as error:
                is_gone = await undoing.sight.is_gone(kind, identifier)
                if is_gone and self._clock.monotonic() >= visible_at:
                    if isinstance(error, HalfDeleted):
                        undoing.kept.append(Leftover(kind, identifier, certain=True))
                    return
                if not await patience.pause():
                    refusal = await undoing.sight.refusal(kind, identifier, f"{kind}_delete")
                    raise refusal from error
            else:
                undoing.removed.add(identifier)
                return

    def _deletion(self, asker: Asker, kind: Kind) -> Callable[[str], Awaitable[None]]:
        if kind == "client":
            return partial(self._platform.delete_client, asker.token, asker.domain_id)
        return partial(self._platform.delete_channel, asker.token, asker.domain_id)
