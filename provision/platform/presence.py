"""Whether a platform's services are where the settings say."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Final

import structlog
from attrs import define, field, frozen

from provision.platform.calls import Call
from provision.platform.errors import BadAnswer, Failed, PlatformError, TimedOut, Unavailable
from provision.platform.transport import Transport

FRESH: Final = 10.0
"""Seconds for which an answer is remembered: strangers may ask, and the platform is not theirs."""


@frozen
class Question:
    """What a service is asked; ``name`` and ``full_name`` are for messages about it."""

    call: Call
    name: str
    full_name: str


@define(eq=False)
class ServiceCheck:
    """Looks whether each service answers like one of the platform's."""

    transport: Transport
    questions: Sequence[Question]
    _looking: asyncio.Future[Mapping[str, str]] | None = field(default=None, init=False)
    _until: float = field(default=0.0, init=False)

    async def troubles(self) -> Mapping[str, str]:
        """Return what is wrong, by service, in words that name no address; nothing is right.

        One look serves all who ask within some seconds.
        """
        looking = self._looking
        if looking is None or (looking.done() and time.monotonic() > self._until):
            looking = self._looking = asyncio.ensure_future(self._look())
        return await asyncio.shield(looking)

    async def _look(self) -> Mapping[str, str]:
        found = await asyncio.gather(*map(self._trouble, self.questions))
        self._until = time.monotonic() + FRESH
        answered = zip(self.questions, found, strict=True)
        return {question.call.service: words for question, words in answered if words}

    async def _trouble(self, question: Question) -> str:
        service = question.call.service
        try:
            await self.transport.send_once(question.call)
        except Unavailable:
            return f"{question.name} can't be reached"
        except TimedOut:
            return f"{question.name} does not answer in time"
        except Failed:
            return f"{question.name} fails"
        except BadAnswer as error:
            structlog.get_logger().warning("not the platform", service=service, error=str(error))
            return (
                f"something else than {question.full_name} answers: "
                f"look at the setting {service}_url"
            )
        except PlatformError:
            # It refuses whoever shows no token, in the platform's own words.
            return ""
        return ""
