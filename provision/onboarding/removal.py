"""Removes a plan's resources from the platform, in reverse order, until nothing is left.

Removing may be repeated: what is gone is done. The platform says the same of a thing that is gone
and of one that the caller may not see, so "gone" is believed only from the list, asked by a member
of the domain, and only once what was created has had the time to become visible.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from functools import partial

from bootstrap_core.secret import Secret
from provision.layout.plan import Plan
from provision.onboarding.clock import Clock
from provision.onboarding.creation import all_of
from provision.onboarding.retry import Patience, Timing
from provision.platform.errors import NotFound
from provision.platform.port import CertificateAuthority, Platform
from provision.platform.types import ChannelQuery, ClientQuery, StatusFilter


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

    async def certificates(self, token: Secret, plan: Plan) -> None:
        """Revoke every certificate of the plan's clients."""
        await all_of(
            self._authority.revoke_client_certificates(token, plan.domain_id, each.client_id)
            for each in plan.certificates
        )

    async def clients(
        self, token: Secret, plan: Plan, spared: Collection[str], visible_at: float
    ) -> None:
        """Delete the plan's clients, and with them their connections, except ``spared`` IDs."""
        is_gone = partial(self._client_is_gone, token, plan.domain_id)
        delete = partial(self._platform.delete_client, token, plan.domain_id)
        await all_of(
            self._delete(each.id, delete, is_gone, visible_at)
            for each in plan.clients
            if each.id not in spared
        )

    async def channels(
        self, token: Secret, plan: Plan, spared: Collection[str], visible_at: float
    ) -> None:
        """Delete the plan's channels, except ``spared`` IDs."""
        is_gone = partial(self._channel_is_gone, token, plan.domain_id)
        delete = partial(self._platform.delete_channel, token, plan.domain_id)
        await all_of(
            self._delete(each.id, delete, is_gone, visible_at)
            for each in plan.channels
            if each.id not in spared
        )

    async def latecomers(self, token: Secret, plan: Plan, spared: Collection[str]) -> None:
        """Remove what came to be only after it had been removed or found absent."""
        await self.certificates(token, plan)
        now = self._clock.monotonic()
        clients = [each.id for each in plan.clients if each.id not in spared]
        gone = await all_of(self._client_is_gone(token, plan.domain_id, each) for each in clients)
        late = {each for each, is_gone in zip(clients, gone, strict=True) if not is_gone}
        channels = [each.id for each in plan.channels if each.id not in spared]
        gone = await all_of(self._channel_is_gone(token, plan.domain_id, each) for each in channels)
        late |= {each for each, is_gone in zip(channels, gone, strict=True) if not is_gone}
        on_time = {*clients, *channels} - late | set(spared)
        await self.clients(token, plan, on_time, now)
        await self.channels(token, plan, on_time, now)

    async def _client_is_gone(self, token: Secret, domain_id: str, client_id: str) -> bool:
        query = ClientQuery(id=client_id, limit=1, status=StatusFilter.ALL)
        return not (await self._platform.list_clients(token, domain_id, query)).total

    async def _channel_is_gone(self, token: Secret, domain_id: str, channel_id: str) -> bool:
        query = ChannelQuery(id=channel_id, limit=1, status=StatusFilter.ALL)
        return not (await self._platform.list_channels(token, domain_id, query)).total

    async def _delete(
        self,
        identifier: str,
        delete: Callable[[str], Awaitable[None]],
        is_gone: Callable[[str], Awaitable[bool]],
        visible_at: float,
    ) -> None:
        """Delete one thing; an absence counts only from ``visible_at`` (monotonic) on."""
        wait = max(visible_at - self._clock.monotonic(), 0) + self._timing.visible_after
        patience = Patience(self._clock, wait)
        while True:
            try:
                await delete(identifier)
            except NotFound:
                if await is_gone(identifier) and self._clock.monotonic() >= visible_at:
                    return
                if not await patience.pause():
                    raise
            else:
                return
