"""The domains that the switcher offers, remembered for a minute so that no page waits for them."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

from provision.console.directory import DomainLists
from provision.console.session import Session
from provision.platform.errors import PlatformError
from provision.platform.types import Domain

OFFERED: Final = 25
REMEMBERED_SECONDS: Final = 60.0
REMEMBERED_MOST: Final = 1000


class OfferedDomains:
    """Up to 25 domains of each user; whoever has more finds them on a page of their own."""

    def __init__(self, directory: DomainLists) -> None:
        """Ask ``directory``."""
        self._directory = directory
        self._known: OrderedDict[str, tuple[float, Sequence[Domain]]] = OrderedDict()

    async def of(self, session: Session) -> Sequence[Domain]:
        """Return a session's domains; none where the platform can't say right now."""
        known = self._known.get(session.id)
        if known and known[0] > time.monotonic() and _has(known[1], session.domain_id):
            return known[1]
        try:
            page = await self._directory.list_domains(session.credentials.access, 0, OFFERED)
        except PlatformError:
            return ()
        self._known[session.id] = (time.monotonic() + REMEMBERED_SECONDS, page.items)
        self._known.move_to_end(session.id)
        while len(self._known) > REMEMBERED_MOST:
            self._known.popitem(last=False)
        return page.items


def _has(domains: Sequence[Domain], domain_id: str) -> bool:
    """Tell whether a list may still be right: a domain that was entered is new to an old list."""
    return len(domains) == OFFERED or any(each.id == domain_id for each in domains)
