"""External keys: hashing and verifying them, and remembering which were verified a while ago.

New hashes are scrypt with their parameters in the text, ``$scrypt$ln=14,r=8,p=1$<salt>$<hash>``
(ln is the binary logarithm of N; salt and hash in unpadded base64), so that the parameters can be
raised without touching what is stored. Hashes that Magistrala's Go service wrote are verified as
they are: bcrypt (``$2a$``, ``$2b$``, ``$2y$``) and its older ``scrypt$<hash>.<salt>``.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import os
import re
import secrets
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

import bcrypt
from attrs import frozen

from bootstrap_core.errors import Busy
from bootstrap_core.secret import Secret

T = TypeVar("T")

SALT_BYTES: Final = 16
HASH_BYTES: Final = 32
LESS_URGENT: Final = 10
BCRYPT_KEY_BYTES: Final = 72
SCRYPT: Final = re.compile(
    r"\$scrypt\$ln=(\d{1,2}),r=(\d{1,3}),p=(\d{1,3})\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)"
)
GO_SCRYPT: Final = re.compile(r"scrypt\$([A-Za-z0-9+/]+)={0,2}\.([A-Za-z0-9+/]+)={0,2}")
BCRYPT: Final = re.compile(r"\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}")


@frozen
class Cost:
    """The parameters of scrypt (RFC 7914): N is two to the power of ``ln``."""

    ln: int = 14
    r: int = 8
    p: int = 1

    @property
    def bearable(self) -> bool:
        """Whether scrypt takes them, and one verification 1 GiB and a few seconds at most."""
        # RFC 7914, section 2: N is less than 2^(128 * r / 8).
        within = 1 <= self.ln <= 20 and 1 <= self.r <= 8 and 1 <= self.p <= 4
        return within and self.ln < 16 * self.r


COST: Final = Cost()
GO_COST: Final = Cost(ln=14, r=8, p=1)


@frozen
class _Scrypt:
    """A stored scrypt hash."""

    cost: Cost
    salt: bytes
    digest: bytes


class KeyHasher:
    """Hashes and verifies external keys in a few threads of its own.

    At most ``waiting`` callers queue for a thread; further ones are turned away with ``Busy``.
    """

    def __init__(self, cost: Cost = COST, threads: int | None = None, waiting: int = 1000) -> None:
        """``threads`` defaults to the number of processors: scrypt runs outside the GIL."""
        self._cost = cost
        self._threads = threads or os.cpu_count() or 2
        self._pool = ThreadPoolExecutor(
            self._threads, thread_name_prefix="external-keys", initializer=_let_others_go_first
        )
        self._turns = asyncio.Semaphore(self._threads)
        self._waiting = waiting
        self._queued = 0
        self._dummy = _write_scrypt(self._cost, secrets.token_bytes(SALT_BYTES), b"\0" * HASH_BYTES)

    async def hash(self, key: Secret) -> str:
        """Return a new salted hash of ``key`` for storing. Raises ``Busy``."""
        return await self.take_turn(lambda: _hash(key.encode(), self._cost))

    async def verify(
        self, key: Secret, stored: str | None, *, admit: Callable[[], None] = lambda: None
    ) -> bool:
        """Tell whether ``stored`` is a hash of ``key``.

        With None, for a device that is not known, the same work is done and the answer is False.
        ``admit`` is called when a thread is free and before any work is done: it may raise to
        refuse the attempt after all. Raises ``Busy``.
        """
        return await self.take_turn(lambda: _verify(key.encode(), stored or self._dummy), admit)

    async def take_turn(self, work: Callable[[], T], admit: Callable[[], None] = lambda: None) -> T:
        """Run ``work`` in a thread as soon as one is free. Raises ``Busy``."""
        if self._queued >= self._waiting:
            raise Busy(retry_after=1)
        self._queued += 1
        try:
            async with self._turns:
                admit()
                return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._queued -= 1

    def close(self) -> None:
        """Let the threads end."""
        self._pool.shutdown(wait=False, cancel_futures=True)


class VerifiedKeys:
    """Remembers which keys were verified, so that a device that asks again costs nothing.

    What is kept is a keyed BLAKE2b (RFC 7693) of config, revision and key under a random key of
    this process, which takes a third of an HMAC's time; it holds for ``seconds``, at most
    ``limit`` of them, and no longer than the config's revision.
    """

    def __init__(
        self,
        seconds: float = 3600.0,
        limit: int = 200_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``clock`` gives seconds that never go back."""
        self._seconds = seconds
        self._limit = limit
        self._clock = clock
        self._process_key = secrets.token_bytes(32)
        self._known: dict[str, tuple[bytes, float]] = {}

    def __len__(self) -> int:
        return len(self._known)

    def knows(self, config_id: str, revision: str, key: bytes) -> bool:
        """Tell whether this key was verified for this revision of the config."""
        found = self._known.get(config_id)
        if found is None:
            return False
        mac, until = found
        if until < self._clock():
            del self._known[config_id]
            return False
        return hmac.compare_digest(mac, self._mac(config_id, revision, key))

    def remember(self, config_id: str, revision: str, key: bytes) -> None:
        """Note that the key was verified just now."""
        self._known.pop(config_id, None)
        if len(self._known) >= self._limit:
            del self._known[next(iter(self._known))]
        until = self._clock() + self._seconds
        self._known[config_id] = (self._mac(config_id, revision, key), until)

    def _mac(self, config_id: str, revision: str, key: bytes) -> bytes:
        message = f"{config_id} {revision} ".encode() + key
        return hashlib.blake2b(message, key=self._process_key, digest_size=32).digest()


def is_hash(text: str) -> bool:
    """Tell whether ``text`` is a stored hash of a kind that is verified here."""
    return _parsed(text) is not None or bool(BCRYPT.fullmatch(text))


def _let_others_go_first() -> None:
    """Lower the priority of the thread, so that hashing takes only what the event loop leaves."""
    if sys.platform == "linux":
        # On Linux a thread has a priority of its own; elsewhere this would be the whole process's.
        os.nice(LESS_URGENT)


def _hash(key: bytes, cost: Cost) -> str:
    salt = secrets.token_bytes(SALT_BYTES)
    return _write_scrypt(cost, salt, _scrypt(key, salt, cost, HASH_BYTES))


def _write_scrypt(cost: Cost, salt: bytes, digest: bytes) -> str:
    written_salt, written_digest = (
        base64.b64encode(part).rstrip(b"=").decode() for part in (salt, digest)
    )
    return f"$scrypt$ln={cost.ln},r={cost.r},p={cost.p}${written_salt}${written_digest}"


def _verify(key: bytes, stored: str) -> bool:
    if known := _parsed(stored):
        digest = _scrypt(key, known.salt, known.cost, len(known.digest))
        return hmac.compare_digest(digest, known.digest)
    if BCRYPT.fullmatch(stored):
        # Go refuses to hash longer keys; cutting one short here would let two keys open one config.
        matches = bcrypt.checkpw(key[:BCRYPT_KEY_BYTES], stored.encode())
        return matches and len(key) <= BCRYPT_KEY_BYTES
    return False


def _parsed(stored: str) -> _Scrypt | None:
    """Return the scrypt hash that ``stored`` is, of either form, if it can be verified."""
    if match := SCRYPT.fullmatch(stored):
        cost = Cost(int(match[1]), int(match[2]), int(match[3]))
        salt, digest = match[4], match[5]
    elif match := GO_SCRYPT.fullmatch(stored):
        cost, salt, digest = GO_COST, match[2], match[1]
    else:
        return None
    try:
        known = _Scrypt(cost, _decoded(salt), _decoded(digest))
    except ValueError:
        return None
    return known if cost.bearable else None


def _decoded(text: str) -> bytes:
    # More padding than is needed does no harm.
    return base64.b64decode(text + "==")


def _scrypt(key: bytes, salt: bytes, cost: Cost, length: int) -> bytes:
    n = 1 << cost.ln
    memory = 128 * cost.r * (n + cost.p + 2)
    return hashlib.scrypt(key, salt=salt, n=n, r=cost.r, p=cost.p, dklen=length, maxmem=2 * memory)
