"""Clients and channels to choose from in a form."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from attrs import frozen

from provision.console.directory import Choices
from provision.console.errors import NoDomain
from provision.console.visit import Visit
from provision.platform.types import Channel, ChannelQuery, ClientQuery

OFFERED: Final = 50

Option = tuple[str, str, str]
"""Value, label, and what is told beside it."""


@frozen
class Offers:
    """What the platform has to offer; a search shows what the newest fifty do not."""

    directory: Choices

    async def channels(self, visit: Visit, named: str, chosen: Sequence[str]) -> Sequence[Option]:
        """Return channels with a part of this name, and those that are chosen already."""
        domain_id = _domain(visit)
        query = ChannelQuery(limit=OFFERED, name=named)
        page = await self.directory.list_channels(visit.token, domain_id, query)
        known = {each.id for each in page.items}
        missing = [each for each in dict.fromkeys(chosen) if each not in known]
        pages = await asyncio.gather(
            *(
                self.directory.list_channels(
                    visit.token, domain_id, ChannelQuery(limit=1, id=channel_id)
                )
                for channel_id in missing
            )
        )
        found = {channel.id: channel for page in pages for channel in page.items}
        kept = [_option(found[each]) if each in found else (each, each, "") for each in missing]
        return [*kept, *(_option(each) for each in page.items)]

    async def clients(self, visit: Visit) -> Sequence[Option]:
        """Return the newest clients."""
        query = ClientQuery(limit=OFFERED)
        page = await self.directory.list_clients(visit.token, _domain(visit), query)
        return [(each.id, each.name or each.id, "") for each in page.items]


def _option(channel: Channel) -> Option:
    return channel.id, channel.name or channel.id, channel.route


def _domain(visit: Visit) -> str:
    if not visit.session.domain_id:
        raise NoDomain
    return visit.session.domain_id
