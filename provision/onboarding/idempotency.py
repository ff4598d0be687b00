"""Idempotency keys (IETF draft "The Idempotency-Key HTTP Header Field"): one request, one answer.

The answer to a request with a key is kept, sealed, for a day. Failures are not kept: asking again
after one is the way to mend it. A key in use is claimed by one request, which alone writes or
forgets it; a claim that is over three minutes old is given up, and another request may have it.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import structlog
from attrs import field, frozen
from sqlalchemy import and_, delete, insert, select, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from bootstrap_core.secrets import Sealer, Secret
from bootstrap_core.work import may_fail_unheard
from provision.onboarding.clock import Clock
from provision.onboarding.errors import AnswerDiffers, IdempotencyKeyInvalid, StillRunning
from provision.onboarding.tables import stored_answers

ANSWER_TTL = timedelta(hours=24)
CLAIM_TTL = timedelta(minutes=3)
CLOSING_SECONDS = 2.0
MAX_KEY_LENGTH = 255
NOT_YET = 0

Answer = tuple[int, Mapping[str, Any]]


@frozen
class _Stored:
    """What is kept of a request: its digest, and its answer once there is one."""

    request_digest: str
    status: int = NOT_YET
    body: Mapping[str, Any] = field(factory=dict)


@frozen
class Idempotency:
    """Answers a repeated request with what the first one was answered.

    Answers are kept sealed. ``new_claim`` gives random IDs.
    """

    _engine: AsyncEngine
    _sealer: Sealer
    _clock: Clock
    _new_claim: Callable[[], str]
    _tasks: set[asyncio.Task[Answer]] = field(factory=set, init=False)

    async def once(
        self,
        domain_id: str,
        key: str,
        request: Mapping[str, Any],
        work: Callable[[], Awaitable[Answer]],
    ) -> Answer:
        """Return status and body of ``work``, or what it returned when the key was new.

        When the caller is cancelled the work goes on all the same, and its answer is kept.

        Raises ``AnswerDiffers`` (the key belongs to another request), ``StillRunning`` and
        ``IdempotencyKeyInvalid``.
        """
        key = _key(key)
        digest = hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()
        task = asyncio.create_task(self._whole(domain_id, key, digest, work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        # A caller that has hung up never looks at the error.
        return await asyncio.shield(may_fail_unheard(task))

    async def close(self) -> None:
        """Wait a little for what is under way; what is left is cut short and forgotten."""
        if tasks := list(self._tasks):
            _, late = await asyncio.wait(tasks, timeout=CLOSING_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _whole(
        self, domain_id: str, key: str, digest: str, work: Callable[[], Awaitable[Answer]]
    ) -> Answer:
        claim = self._new_claim()
        if answer := await self._begin(domain_id, key, digest, claim):
            return answer
        try:
            status, body = await work()
        except BaseException:
            try:
                await self._forget(domain_id, key, claim)
            except SQLAlchemyError as error:
                # The caller is told why the work failed; the key is free when its time is over.
                structlog.get_logger().warning("key not given up", error=str(error))
            raise
        try:
            await self._keep(domain_id, key, _Stored(digest, status, body), claim)
        except SQLAlchemyError as error:
            # The work is done; a repeated request finds that by itself.
            structlog.get_logger().warning("answer not kept", error=str(error))
        return status, body

    async def forget_unfinished(self) -> None:
        """Let go of every key in use: for the start of the only process on this store."""
        async with self._engine.begin() as connection:
            await connection.execute(
                delete(stored_answers).where(stored_answers.c.status == NOT_YET)
            )

    async def _begin(self, domain_id: str, key: str, digest: str, claim: str) -> Answer | None:
        """Claim the key, or return its answer."""
        now = self._clock.now()
        mine = _row(domain_id, key)
        async with self._engine.begin() as connection:
            await connection.execute(
                delete(stored_answers).where(stored_answers.c.expires_at < now)
            )
            row = (await connection.execute(select(stored_answers).where(mine))).mappings().first()
            if row is None:
                values = self._row(domain_id, key, _Stored(digest), now + CLAIM_TTL, claim)
                try:
                    await connection.execute(insert(stored_answers).values(values))
                except IntegrityError as error:
                    raise StillRunning from error
                return None
        stored = self._open(row)
        if not hmac.compare_digest(stored.request_digest, digest):
            raise AnswerDiffers
        if stored.status == NOT_YET:
            raise StillRunning
        return stored.status, stored.body

    async def _keep(self, domain_id: str, key: str, stored: _Stored, claim: str) -> None:
        values = self._row(domain_id, key, stored, self._clock.now() + ANSWER_TTL, claim)
        async with self._engine.begin() as connection:
            kept = await connection.execute(
                update(stored_answers).where(_claimed(domain_id, key, claim)).values(values)
            )
        if not kept.rowcount:
            await self._keep_late(values)

    async def _keep_late(self, values: Mapping[str, Any]) -> None:
        """Keep an answer that took so long that its claim was given up, if nobody has the key."""
        with contextlib.suppress(IntegrityError):
            async with self._engine.begin() as connection:
                await connection.execute(insert(stored_answers).values(values))

    def _row(
        self, domain_id: str, key: str, stored: _Stored, expires_at: datetime, claim: str
    ) -> dict[str, Any]:
        # The digest of a request is sealed too: an external key could be guessed from it.
        document = {"request": stored.request_digest, "body": stored.body}
        text = json.dumps(document, default=_reveal).encode()
        return {
            "domain_id": domain_id,
            "idempotency_key": key,
            "status": stored.status,
            "answer": self._sealer.seal(text, answer_place(domain_id, key)),
            "expires_at": expires_at,
            "claim": claim,
        }

    def _open(self, row: Mapping[Any, Any]) -> _Stored:
        binding = answer_place(row["domain_id"], row["idempotency_key"])
        document = json.loads(self._sealer.open(row["answer"], binding))
        return _Stored(document["request"], row["status"], document["body"])

    async def _forget(self, domain_id: str, key: str, claim: str) -> None:
        mine = _claimed(domain_id, key, claim)
        async with self._engine.begin() as connection:
            await connection.execute(delete(stored_answers).where(mine))


def _row(domain_id: str, key: str) -> Any:  # noqa: ANN401 - SQLAlchemy's own expression type
    return and_(stored_answers.c.domain_id == domain_id, stored_answers.c.idempotency_key == key)


def _claimed(domain_id: str, key: str, claim: str) -> Any:  # noqa: ANN401 - as above
    return and_(_row(domain_id, key), stored_answers.c.claim == claim)


def _key(header: str) -> str:
    """Return the key of a header, which the draft writes as a quoted string (RFC 8941)."""
    key = header.strip()
    if len(key) > 1 and key[0] == key[-1] == '"':
        key = key[1:-1].strip()
    if not key or len(key) > MAX_KEY_LENGTH:
        raise IdempotencyKeyInvalid
    return key


def answer_place(domain_id: str, key: str) -> str:
    """Name the place of a stored answer, to which it is sealed."""
    return f"stored_answers/{domain_id}/{key}"


def _reveal(value: object) -> str:
    if isinstance(value, Secret):
        return value.reveal()
    raise TypeError(f"{type(value).__name__} has no JSON form")
