"""Idempotency keys (IETF draft "The Idempotency-Key HTTP Header Field"): one request, one answer.

The answer to a request with a key is kept, sealed, for a day. Failures are not kept: asking again
after one is the way to mend it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import and_, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from bootstrap_core.sealing import Sealer
from bootstrap_core.secret import Secret
from provision.onboarding.clock import Clock
from provision.onboarding.errors import AnswerDiffers, IdempotencyKeyInvalid, StillRunning
from provision.onboarding.tables import stored_answers

KEPT = timedelta(hours=24)
RUNNING = timedelta(minutes=3)
KEY_MOST = 255
NOT_YET = 0

Answer = tuple[int, Mapping[str, Any]]


class Idempotency:
    """Answers a repeated request with what the first one was answered."""

    def __init__(self, engine: AsyncEngine, sealer: Sealer, clock: Clock) -> None:
        """Keep answers in the store of ``engine``, sealed."""
        self._engine = engine
        self._sealer = sealer
        self._clock = clock

    async def once(
        self,
        domain_id: str,
        key: str,
        request: Mapping[str, Any],
        work: Callable[[], Awaitable[Answer]],
    ) -> Answer:
        """Return status and body of ``work``, or what it returned when the key was new.

        Raises ``AnswerDiffers`` (the key belongs to another request), ``StillRunning`` and
        ``IdempotencyKeyInvalid``.
        """
        if not key.strip() or len(key) > KEY_MOST:
            raise IdempotencyKeyInvalid
        digest = hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()
        if answer := await self._begin(domain_id, key, digest):
            return answer
        try:
            status, body = await work()
        except BaseException:
            await self._forget(domain_id, key)
            raise
        await self._keep(domain_id, key, status, body)
        return status, body

    async def _begin(self, domain_id: str, key: str, digest: str) -> Answer | None:
        """Take the key, or return its answer."""
        now = self._clock.now()
        mine = _row(domain_id, key)
        async with self._engine.begin() as connection:
            await connection.execute(
                delete(stored_answers).where(stored_answers.c.expires_at < now)
            )
            row = (await connection.execute(select(stored_answers).where(mine))).mappings().first()
            if row is None:
                try:
                    await connection.execute(
                        insert(stored_answers).values(
                            domain_id=domain_id,
                            idempotency_key=key,
                            request_digest=digest,
                            status=NOT_YET,
                            answer="",
                            expires_at=now + RUNNING,
                        )
                    )
                except IntegrityError as error:
                    raise StillRunning from error
                return None
        if row["request_digest"] != digest:
            raise AnswerDiffers
        if row["status"] == NOT_YET:
            raise StillRunning
        opened = self._sealer.open(row["answer"], _binding(domain_id, key))
        return row["status"], json.loads(opened)

    async def _keep(self, domain_id: str, key: str, status: int, body: Mapping[str, Any]) -> None:
        text = json.dumps(body, default=_reveal).encode()
        async with self._engine.begin() as connection:
            await connection.execute(
                update(stored_answers)
                .where(_row(domain_id, key))
                .values(
                    status=status,
                    answer=self._sealer.seal(text, _binding(domain_id, key)),
                    expires_at=self._clock.now() + KEPT,
                )
            )

    async def _forget(self, domain_id: str, key: str) -> None:
        async with self._engine.begin() as connection:
            await connection.execute(delete(stored_answers).where(_row(domain_id, key)))


def _row(domain_id: str, key: str) -> Any:  # noqa: ANN401 - SQLAlchemy's own expression type
    return and_(stored_answers.c.domain_id == domain_id, stored_answers.c.idempotency_key == key)


def _binding(domain_id: str, key: str) -> str:
    return f"stored_answers/{domain_id}/{key}"


def _reveal(value: object) -> str:
    if isinstance(value, Secret):
        return value.reveal()
    raise TypeError(f"{type(value).__name__} has no JSON form")
