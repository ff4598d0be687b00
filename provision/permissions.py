"""Asks the platform whether a caller has the rights that ``provision.rights`` names.

What a caller may do in all of a domain came with the check of the membership, so most requests need
no further call. Only who lacks the right on the domain is looked up on the thing itself: the
platform's lists tell what the caller may do with each thing that they show.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Final, Protocol, TypeAlias

from attrs import frozen

from bootstrap_core.errors import NotPermitted
from bootstrap_core.model import Asked, Caller, EntityKind
from provision.onboarding.absence import Asker, Visibility
from provision.platform.credentials import token_user
from provision.platform.errors import lacks
from provision.platform.port import Platform
from provision.rights import On, Right, rights_of

REMEMBERED_MOST: Final = 10_000
THE_DOMAIN: Final = "the domain"

Place: TypeAlias = tuple[bytes, str, EntityKind, str]


@frozen
class Things:
    """The clients and channels that a right is asked on, by their IDs.

    ``made_by`` is the user who made them, where that is known: who makes a thing may do everything
    with it, even while it is not there yet, or not there any more.
    """

    clients: Sequence[str]
    channels: Sequence[str] = ()
    made_by: str = ""


class Subjects(Protocol):
    """Finds the things that a request is about."""

    async def things(self, caller: Caller, on: On, values: Mapping[str, str]) -> Things | None:
        """Return the things that ``values`` of the request name; None where there are none."""
        ...


@frozen
class _Held:
    actions: frozenset[str] | None
    is_shown: bool
    until: float


class Permissions:
    """Decides what callers may do; what the platform said is remembered for seconds."""

    def __init__(self, platform: Platform, subjects: Subjects, remembered_seconds: float) -> None:
        """Ask ``platform`` what callers hold on the things that ``subjects`` finds."""
        self._platform = platform
        self._subjects = subjects
        self._remembered_seconds = remembered_seconds
        self._known: OrderedDict[Place, _Held] = OrderedDict()

    async def require(self, caller: Caller, asked: Asked) -> None:
        """Return where the caller has every right that is asked for.

        Raises ``NotPermitted``, naming right and thing, and the platform's own failures.
        """
        for right in rights_of(asked):
            await self._require(caller, right, asked.values)

    async def _require(self, caller: Caller, right: Right, values: Mapping[str, str]) -> None:
        lacking = [name for name in right.actions if not may_everywhere(caller, name)]
        if not lacking and (right.on is On.DOMAIN or token_user(caller.token)):
            return
        if right.on is On.DOMAIN:
            # A platform that does not tell what its members may do is asked by the work itself.
            if caller.actions is None:
                return
            raise NotPermitted(lacks(lacking[0], THE_DOMAIN))
        things = await self._subjects.things(caller, right.on, values)
        if things is None:
            if not lacking or right.if_there or caller.actions is None:
                return
            raise NotPermitted(lacks(lacking[0], THE_DOMAIN))
        for name in lacking:
            await self._require_on(caller, name, things)
        if not token_user(caller.token):
            await asyncio.gather(
                *(self._require_scope(caller, client_id) for client_id in things.clients)
            )

    async def _require_scope(self, caller: Caller, client_id: str) -> None:
        """Make sure that the platform shows the client to a personal access token, or has none.

        The roles are the user's; the scopes of such a token may be fewer, and only a call tells.
        """
        place = self._place(caller, "client", f"{client_id}/view")
        known = self._known.get(place)
        if known and known.until > time.monotonic():
            return
        await self._visibility(caller).view("client", client_id)
        self._remember(place, actions=None, is_shown=True)

    async def _require_on(self, caller: Caller, name: str, things: Things) -> None:
        of_kind, _, action = name.partition("_")
        kind: EntityKind = "channel" if of_kind == "channel" else "client"
        named = things.channels if kind == "channel" else things.clients
        held = [self._look(caller, kind, identifier) for identifier in named]
        made_it = bool(caller.user_id) and things.made_by == caller.user_id
        for identifier, found in zip(named, await asyncio.gather(*held), strict=True):
            if found.is_shown and found.actions is not None:
                allowed = action in found.actions
            elif found.is_shown:
                allowed = action == "read" or caller.actions is None
            else:
                allowed = made_it or caller.actions is None
            if not allowed:
                raise NotPermitted(lacks(name, f"{kind} {identifier}"))

    async def _look(self, caller: Caller, kind: EntityKind, identifier: str) -> _Held:
        place = self._place(caller, kind, identifier)
        known = self._known.get(place)
        if known and known.until > time.monotonic():
            return known
        found = await self._visibility(caller).find(kind, identifier)
        actions = found.actions if found else None
        return self._remember(place, actions=actions, is_shown=found is not None)

    def _visibility(self, caller: Caller) -> Visibility:
        return Visibility(self._platform, Asker(caller.token, caller.domain_id))

    def _place(self, caller: Caller, kind: EntityKind, identifier: str) -> Place:
        token = hashlib.sha256(caller.token.encode()).digest()
        return token, caller.domain_id, kind, identifier

    def _remember(self, place: Place, *, actions: frozenset[str] | None, is_shown: bool) -> _Held:
        held = _Held(actions, is_shown, time.monotonic() + self._remembered_seconds)
        self._known[place] = held
        self._known.move_to_end(place)
        while len(self._known) > REMEMBERED_MOST:
            self._known.popitem(last=False)
        return held


def may_everywhere(caller: Caller, action: str) -> bool:
    """Tell whether the platform said that the caller may do this in all of the domain."""
    return caller.actions is not None and action in caller.actions
