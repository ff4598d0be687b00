"""Requests that take longer than a page may: they run on, and their session asks how they are."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from attrs import evolve, field, frozen

from bootstrap_core.secrets import Secret
from provision.console.errors import ConsoleError, TooMuchAtOnce
from provision.console.forms import Form

AT_ONCE: Final = 8
"""Undertakings of one session that may run at a time."""
KEPT_MOST: Final = 500
"""Undertakings of all sessions together."""
KEPT: Final = timedelta(minutes=15)
"""How long one is kept; the API bounds its own work to much less."""

Result = Mapping[str, Any] | ConsoleError


@frozen(eq=False)
class Undertaking:
    """A request for a gateway that was begun: by which session, with which form and key.

    ``work`` never raises: what went wrong is its result.
    """

    id: str
    session_id: str
    external_id: str
    external_key: Secret
    form: Form = field(repr=False)
    began_at: datetime
    work: asyncio.Task[Result] = field(repr=False)

    @property
    def result(self) -> Result | None:
        """The API's answer or the error in words; None while it runs."""
        return self.work.result() if self.work.done() else None


class Undertakings:
    """All that were begun in this process: bounded in number and in time."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        """``now`` tells when one is forgotten."""
        self._now = now
        self._known: dict[tuple[str, str], Undertaking] = {}

    def begin(
        self,
        place: tuple[str, str],
        external_id: str,
        external_key: Secret,
        form: Form,
        do: Callable[[], Awaitable[Mapping[str, Any]]],
    ) -> Undertaking:
        """Begin ``do``, or return what was begun at ``place`` (session and ID) before.

        Raises ``TooMuchAtOnce``.
        """
        self._forget()
        if place in self._known:
            return self._known[place]
        session_id, name = place
        mine = [each for each in self._known.values() if each.session_id == session_id]
        running = [each for each in mine if each.result is None]
        if len(running) >= AT_ONCE or len(self._known) >= KEPT_MOST:
            raise TooMuchAtOnce
        work = asyncio.create_task(_outcome(do))
        begun = Undertaking(name, session_id, external_id, external_key, form, self._now(), work)
        self._known[place] = begun
        # Keys do not stay until somebody asks for something else.
        asyncio.get_running_loop().call_later(KEPT.total_seconds() + 1, self._forget)
        return begun

    def find(self, session_id: str, name: str) -> Undertaking | None:
        """Return what this session began under this ID, unless it is forgotten."""
        self._forget()
        return self._known.get((session_id, name))

    def forget_key(self, undertaking: Undertaking) -> None:
        """Keep the result of one, but not its key, nor the form that has it."""
        place = (undertaking.session_id, undertaking.id)
        self._known[place] = evolve(undertaking, external_key=Secret(""), form=Form())

    async def close(self) -> None:
        """Stop waiting for answers; what the API has begun ends without the console."""
        running = [each.work for each in self._known.values() if each.result is None]
        for work in running:
            work.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        self._known.clear()

    def _forget(self) -> None:
        old = self._now() - KEPT
        for each in [each for each in self._known.values() if each.began_at < old]:
            each.work.cancel()
            del self._known[each.session_id, each.id]


async def _outcome(do: Callable[[], Awaitable[Mapping[str, Any]]]) -> Result:
    try:
        return await do()
    except ConsoleError as error:
        return error
    except Exception as error:
        structlog.get_logger().exception("undertaking failed", exc_info=error)
        return ConsoleError("The service failed with an error of its own; its log has the details.")
