"""External keys: hashing and verifying them.

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
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

import bcrypt
from attrs import frozen

from bootstrap_core.errors import Busy
from bootstrap_core.secrets import Secret
from bootstrap_core.work import FairTurns, Lane

T = TypeVar("T")

SALT_BYTES: Final = 16
HASH_BYTES: Final = 32
LESS_URGENT: Final = 10
OWN_LANE: Final[Lane] = ("", "")
"""Where the keys of those wait who are known to the platform, and not an address."""
BCRYPT_KEY_BYTES: Final = 72
SCRYPT: Final = re.compile(
    r"\$scrypt\$ln=(\d{1,2}),r=(\d{1,3}),p=(\d{1,3})\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)"
)
GO_SCRYPT: Final = re.compile(r"scrypt\$([A-Za-z0-9+/]+)={0,2}\.([A-Za-z0-9+/]+)={0,2}")
BCRYPT: Final = re.compile(r"(\$2[aby]\$)(\d\d)(\$[./A-Za-z0-9]{53})")
BCRYPT_COSTS: Final = range(4, 18)
"""More would take a verification many seconds; the cost of Go's package is 10."""
SALTS: Final = range(8, 129)
DIGESTS: Final = range(16, 129)
"""Bytes of a salt and of a digest: any key would fit a digest of a byte or two, sooner or later."""
_LIKE_A_HASH: Final = re.compile(
    r"\$(?:2[abxy]?|1|5|6|7|y|scrypt|argon2[a-z]*|pbkdf2[a-z0-9-]*)\$|scrypt\$"
)


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

    At most ``waiting`` callers queue for a thread, half of them from one address; further ones are
    turned away with ``Busy``.
    """

    def __init__(self, cost: Cost = COST, threads: int | None = None, waiting: int = 1000) -> None:
        """``threads`` defaults to the number of processors: scrypt runs outside the GIL."""
        self._cost = cost
        self._threads = threads or os.cpu_count() or 2
        self._pool = ThreadPoolExecutor(
            self._threads, thread_name_prefix="external-keys", initializer=_let_others_go_first
        )
        self._turns = FairTurns(self._threads)
        self._waiting = waiting
        self._queued = 0
        self._dummy = _write_scrypt(self._cost, secrets.token_bytes(SALT_BYTES), b"\0" * HASH_BYTES)

    async def hash(self, key: Secret) -> str:
        """Return a new salted hash of ``key`` for storing. Raises ``Busy``."""
        return await self.take_turn(lambda: _hash(key.encode(), self._cost))

    async def verify(
        self,
        key: Secret,
        stored: str | None,
        *,
        admit: Callable[[], None] = lambda: None,
        lane: Lane = OWN_LANE,
    ) -> bool:
        """Tell whether ``stored`` is a hash of ``key``.

        With None, for a device that is not known, the same work is done and the answer is False.
        ``admit`` is called when a thread is free and before any work is done: it may raise to
        refuse the attempt after all. ``lane`` tells from where the attempt comes and for which
        device. Raises ``Busy``.
        """
        return await self.take_turn(
            lambda: _verify(key.encode(), stored or self._dummy), admit, lane
        )

    async def take_turn(
        self,
        work: Callable[[], T],
        admit: Callable[[], None] = lambda: None,
        lane: Lane = OWN_LANE,
    ) -> T:
        """Run ``work`` in a thread as soon as one is free. Raises ``Busy``."""
        is_long = lane is not OWN_LANE and self._turns.queued(lane[0]) >= self._waiting // 2
        if self._queued >= self._waiting or is_long:
            raise Busy(retry_after=1)
        self._queued += 1
        try:
            async with self._turns.turn(lane):
                admit()
                return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._queued -= 1

    def close(self) -> None:
        """Let the threads end."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def is_hash(text: str) -> bool:
    """Tell whether ``text`` is a stored hash of a kind that is verified here."""
    return _parsed(text) is not None or _is_bcrypt(text)


def is_like_hash(text: str) -> bool:
    """Tell whether ``text`` begins as hashes do, so that it is no key in clear."""
    return _LIKE_A_HASH.match(text) is not None


def _is_bcrypt(text: str) -> bool:
    match = BCRYPT.fullmatch(text)
    if match is None or int(match[2]) not in BCRYPT_COSTS:
        return False
    try:
        # The least cost, to see whether the salt can be read.
        bcrypt.checkpw(b"", f"{match[1]}04{match[3]}".encode())
    except ValueError:
        return False
    return True


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
    if _is_bcrypt(stored):
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
    usable = len(known.salt) in SALTS and len(known.digest) in DIGESTS
    return known if cost.bearable and usable else None


def _decoded(text: str) -> bytes:
    # More padding than is needed does no harm.
    return base64.b64decode(text + "==")


def _scrypt(key: bytes, salt: bytes, cost: Cost, length: int) -> bytes:
    n = 1 << cost.ln
    memory = 128 * cost.r * (n + cost.p + 2)
    return hashlib.scrypt(key, salt=salt, n=n, r=cost.r, p=cost.p, dklen=length, maxmem=2 * memory)
