"""Pairs in their table: who has which, on a connection that the caller gives.

A row whose ``config_id`` is set is the pair that opens that config. A row without it keeps the pair
for its domain as long as the domain has a config of that external ID: an earlier key of the device,
or one that is about to be given to it. After that anybody may take it.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from attrs import field, frozen
from sqlalchemy import Row, and_, delete, exists, func, not_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bootstrap_core.credentials import EXTERNAL_KEY_BYTES
from bootstrap_core.errors import PairTaken, Throttled
from bootstrap_core.store.tables import BRIEF, INSERTS, configs, device_pairs
from bootstrap_core.throttle import Allowance, Buckets

KEY_BYTES: Final = 32
KEYS_TRIED: Final = Allowance(failures=20, seconds=6.0)


@frozen
class PairDigests:
    """Keyed BLAKE2b digests (RFC 7693) of pairs; ``key`` is 32 random bytes, kept secret.

    ``key_id`` names the key without telling it: digests under another key say nothing.
    """

    key: bytes = field(repr=False, factory=lambda: secrets.token_bytes(KEY_BYTES))
    key_id: str = field(init=False)

    @key_id.default
    def _name(self) -> str:
        return hashlib.blake2b(b"id of this key", key=self.key, digest_size=6).hexdigest()

    def of(self, external_id: str, key: bytes | None) -> str:
        """Return the digest of a pair; the empty text, which is no digest, for what is no key."""
        if not key or len(key) > EXTERNAL_KEY_BYTES or "\0" in external_id:
            return ""
        try:
            key.decode()
        except UnicodeDecodeError:
            return ""
        message = external_id.encode() + b"\0" + key
        return hashlib.blake2b(message, key=self.key, digest_size=KEY_BYTES).hexdigest()


def same(kept: str | None, shown: str) -> bool:
    """Compare two digests in a time that tells nothing; an absent one is equal to none."""
    return hmac.compare_digest(kept, shown) if kept and shown else False


class KeyChanges:
    """Bounds how many different keys a domain may try for one external ID.

    Whether a pair is free tells whether a key is that of another domain's device, so a registration
    is a guess as a device's request is. The same key again is no further guess.
    """

    def __init__(
        self,
        allowance: Allowance = KEYS_TRIED,
        limit: int = 100_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``clock`` gives seconds that never go back; ``limit`` bounds what is remembered."""
        self._buckets = Buckets(limit, clock)
        self._limit = limit
        self._last: dict[tuple[str, str], str] = {}
        self._allowance = allowance

    def note(self, domain_id: str, external_id: str, digest: str) -> None:
        """Count a key. Raises ``Throttled``: too many different ones were tried."""
        place = (domain_id, external_id)
        if same(self._last.get(place), digest):
            return
        wait = self._buckets.wait(place, self._allowance)
        if wait > 0:
            raise Throttled(wait)
        self._buckets.fill(place, self._allowance)
        self._last.pop(place, None)
        if len(self._last) >= self._limit:
            del self._last[next(iter(self._last))]
        self._last[place] = digest


def taken() -> PairTaken:
    """Return the refusal of a pair; it says nothing of who has it."""
    return PairTaken(
        "external_key: cannot be used with this external ID; give the device another key",
        details={"field": "external_key"},
    )


EARLIER_KEPT: Final = 20
_PRESENT: Final = exists().where(
    configs.c.domain_id == device_pairs.c.domain_id,
    configs.c.external_id == device_pairs.c.external_id,
)


@frozen
class Pair:
    """A pair as a domain wants it; ``config_id`` is the config that it shall open."""

    digest: str
    key_id: str
    external_id: str
    domain_id: str
    config_id: str | None = None


async def check(connection: AsyncConnection, pair: Pair) -> None:
    """Raise ``PairTaken`` where another domain has the pair."""
    await _holder(connection, pair, lock=False)


async def reserve(connection: AsyncConnection, pair: Pair, at: datetime) -> None:
    """Keep a pair for a domain that has a config of the external ID. Raises ``PairTaken``."""
    if not await _add(connection, pair, at):
        holder = await _holder(connection, pair, lock=True)
        if holder != pair.domain_id:
            await _write(connection, pair, domain_id=pair.domain_id, config_id=None, taken_at=at)
    await _forget_oldest(connection, pair)


async def take(connection: AsyncConnection, pair: Pair, at: datetime) -> None:
    """Have the pair open its config from now on, and no other key. Raises ``PairTaken``."""
    settled = not await _has_unknown(connection, pair)
    if not await _add(connection, pair, at, settled=settled):
        await _holder(connection, pair, lock=True)
        await _write(
            connection,
            pair,
            domain_id=pair.domain_id,
            config_id=pair.config_id,
            settled=settled,
            taken_at=at,
        )
    await _forget_earlier(connection, pair)


async def claim(connection: AsyncConnection, pair: Pair, at: datetime) -> bool:
    """Take a pair for a config that is older than the digests; tell whether it was free.

    One that ever was another domain's is not free: what a device gets does not change by that.
    """
    if await _add(connection, pair, at, settled=True):
        return True
    domain = select(device_pairs.c.domain_id).where(device_pairs.c.digest == pair.digest)
    if await connection.scalar(domain.with_for_update()) != pair.domain_id:
        return False
    await _write(connection, pair, config_id=pair.config_id, settled=True)
    return True


async def move(connection: AsyncConnection, pair: Pair) -> None:
    """Give the pair to an older config that had the key before the one that has the pair now."""
    await _write(connection, pair, domain_id=pair.domain_id, config_id=pair.config_id, settled=True)


async def settle(connection: AsyncConnection, digest: str) -> None:
    """Note that no older config has the pair."""
    await connection.execute(
        update(device_pairs).where(device_pairs.c.digest == digest).values(settled=True)
    )


async def release(connection: AsyncConnection, config_id: str, *, replaced: bool = False) -> None:
    """Have no pair open the config any more: it is about to be deleted, or has another key.

    Pairs that nobody needs to know of go with a config that is not ``replaced`` by another one.
    """
    own = device_pairs.c.config_id == config_id
    query = (
        select(configs, device_pairs.c.digest)
        .outerjoin(device_pairs, own)
        .where(configs.c.id == config_id)
        .limit(1)
    )
    config = (await connection.execute(query)).first()
    if config is None:
        return
    await connection.execute(update(device_pairs).where(own).values(config_id=None))
    others = select(configs.c.domain_id).where(
        configs.c.external_id == config.external_id, configs.c.id != config_id
    )
    domains = set((await connection.execute(others)).scalars())
    if config.digest is None and domains - {config.domain_id}:
        await _bury(connection, config)
    elif not (replaced or domains):
        of_device = device_pairs.c.external_id == config.external_id
        await connection.execute(delete(device_pairs).where(of_device))


async def former_hashes(connection: AsyncConnection, config_id: str) -> Sequence[str]:
    """Return the hashes of keys with which the device was another domain's, before this config."""
    query = (
        select(device_pairs.c.former_hash)
        .join(configs, configs.c.external_id == device_pairs.c.external_id)
        .where(
            configs.c.id == config_id,
            device_pairs.c.domain_id != configs.c.domain_id,
            device_pairs.c.former_hash.is_not(None),
            device_pairs.c.taken_at < configs.c.created_at,
        )
        .limit(EARLIER_KEPT)
    )
    return [str(each) for each in (await connection.execute(query)).scalars()]


async def _bury(connection: AsyncConnection, config: Row[Any]) -> None:
    """Remember the key of a config that has no digest: another domain's config may have it, too."""
    statement = INSERTS[connection.dialect.name](device_pairs).on_conflict_do_nothing()
    row = {
        "digest": f"former {config.id}",
        "key_id": "",
        "external_id": config.external_id,
        "domain_id": config.domain_id,
        "config_id": None,
        "settled": False,
        "taken_at": config.created_at,
        "former_hash": config.external_key_hash,
    }
    await connection.execute(statement, row)


async def _add(
    connection: AsyncConnection, pair: Pair, at: datetime, *, settled: bool = False
) -> bool:
    row: Mapping[str, Any] = {
        "digest": pair.digest,
        "key_id": pair.key_id,
        "external_id": pair.external_id,
        "domain_id": pair.domain_id,
        "config_id": pair.config_id,
        "settled": settled,
        "taken_at": at,
    }
    statement = INSERTS[connection.dialect.name](device_pairs).on_conflict_do_nothing()
    return bool((await connection.execute(statement, row)).rowcount)


async def _write(connection: AsyncConnection, pair: Pair, **values: Any) -> None:  # noqa: ANN401
    await connection.execute(
        update(device_pairs).where(device_pairs.c.digest == pair.digest).values(**values)
    )


async def _holder(connection: AsyncConnection, pair: Pair, *, lock: bool) -> str | None:
    """Return whose pair it is, if anybody's. Raises ``PairTaken``: another domain's."""
    query = (
        select(device_pairs.c.domain_id, device_pairs.c.config_id, _PRESENT.label("present"))
        .where(device_pairs.c.digest == pair.digest)
        .execution_options(**BRIEF)
    )
    found = (await connection.execute(query.with_for_update() if lock else query)).first()
    if found is None:
        return None
    if found.domain_id != pair.domain_id and (found.config_id or found.present):
        raise taken()
    return str(found.domain_id)


async def _has_unknown(connection: AsyncConnection, pair: Pair) -> bool:
    """Tell whether another domain has a config of the device whose key has no digest yet."""
    known = exists().where(
        device_pairs.c.config_id == configs.c.id, device_pairs.c.key_id == pair.key_id
    )
    query = (
        select(configs.c.id)
        .where(
            configs.c.external_id == pair.external_id,
            configs.c.domain_id != pair.domain_id,
            not_(known),
        )
        .limit(1)
        .execution_options(**BRIEF)
    )
    return (await connection.execute(query)).first() is not None


async def _forget_earlier(connection: AsyncConnection, pair: Pair) -> None:
    """Let earlier keys open the config no more."""
    await connection.execute(
        update(device_pairs)
        .where(device_pairs.c.config_id == pair.config_id, device_pairs.c.digest != pair.digest)
        .values(config_id=None)
    )
    await _forget_oldest(connection, pair)


async def _forget_oldest(connection: AsyncConnection, pair: Pair) -> None:
    """Bound how many pairs a domain keeps of a device besides the one that opens its config."""
    earlier = and_(
        device_pairs.c.external_id == pair.external_id,
        device_pairs.c.domain_id == pair.domain_id,
        device_pairs.c.config_id.is_(None),
    )
    if ((await connection.scalar(select(func.count()).where(earlier))) or 0) > EARLIER_KEPT:
        kept = (
            select(device_pairs.c.digest)
            .where(earlier)
            .order_by(device_pairs.c.taken_at.desc())
            .limit(EARLIER_KEPT)
        )
        await connection.execute(
            delete(device_pairs).where(earlier, device_pairs.c.digest.not_in(kept))
        )
