"""Users' passwords: scrypt (RFC 7914), the parameters stored with each hash."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from attrs import frozen

from bootstrap_core.secret import Secret
from provision.embedded.errors import Busy

SALT_BYTES: Final = 16
HASH_BYTES: Final = 32
MEMORY_MARGIN: Final = 1024 * 1024
QUEUE_LIMIT: Final = 64

T = TypeVar("T")


@frozen
class Cost:
    """How hard a hash is made: memory is 128 * ``n`` * ``r`` bytes, time grows with all three."""

    n: int = 16384
    r: int = 8
    p: int = 1


class Passwords:
    """Hashes and verifies passwords, a few at a time, off the event loop.

    When too many wait already, ``Busy`` is raised at once, so that sign-ins can't pile up.

    A hash reads ``scrypt$<n>$<r>$<p>$<salt>$<digest>``, both in base64; hashes made under other
    parameters keep verifying.
    """

    def __init__(self, cost: Cost = Cost(), threads: int = 2) -> None:
        """Hash with ``cost`` from now on, on at most ``threads`` threads at once."""
        self._cost = cost
        self._under_way = 0
        self._pool = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="password")

    async def hash(self, password: Secret) -> str:
        """Return the hash to store for ``password``."""
        return await self._run(lambda: _hash(password, self._cost))

    async def verify(self, password: Secret, stored: str) -> bool:
        """Tell whether ``password`` is the one that ``stored`` was made from."""
        return await self._run(lambda: _verify(password, stored))

    def close(self) -> None:
        """Let the threads go; waits for what is being hashed."""
        self._pool.shutdown()

    async def _run(self, work: Callable[[], T]) -> T:
        if self._under_way >= QUEUE_LIMIT:
            raise Busy
        self._under_way += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._under_way -= 1


def _digest(password: Secret, salt: bytes, cost: Cost) -> bytes:
    return hashlib.scrypt(
        password.encode(),
        salt=salt,
        n=cost.n,
        r=cost.r,
        p=cost.p,
        dklen=HASH_BYTES,
        maxmem=128 * cost.r * (cost.n + cost.p) + MEMORY_MARGIN,
    )


def _hash(password: Secret, cost: Cost) -> str:
    salt = os.urandom(SALT_BYTES)
    texts = [base64.b64encode(part).decode() for part in (salt, _digest(password, salt, cost))]
    return f"scrypt${cost.n}${cost.r}${cost.p}${texts[0]}${texts[1]}"


def _verify(password: Secret, stored: str) -> bool:
    _, n, r, p, salt, digest = stored.split("$")
    made = _digest(password, base64.b64decode(salt), Cost(int(n), int(r), int(p)))
    return hmac.compare_digest(made, base64.b64decode(digest))
