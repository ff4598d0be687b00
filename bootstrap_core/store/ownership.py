"""Whose device a pair of external ID and key is: asked and settled in transactions of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from attrs import evolve
from sqlalchemy.ext.asyncio import AsyncEngine

from bootstrap_core.model import utc_now
from bootstrap_core.secrets import Secret
from bootstrap_core.store import pair_rows
from bootstrap_core.store.pair_rows import KeyChanges, Pair, PairDigests


class Ownership:
    """Knows pairs by their digests."""

    def __init__(
        self,
        engine: AsyncEngine,
        digests: PairDigests,
        changes: KeyChanges,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        """Bound by ``changes`` how many keys a domain tries for one device."""
        self._engine = engine
        self.digests = digests
        self._changes = changes
        self._now = now

    def pair(self, domain_id: str, external_id: str, key: Secret, config_id: str = "") -> Pair:
        """Return the pair that a key makes; with ``config_id`` it shall open that config."""
        digest = self.digests.of(external_id, key.encode())
        return Pair(digest, self.digests.key_id, external_id, domain_id, config_id or None)

    async def admit(
        self, domain_id: str, external_id: str, key: Secret, *, reserve: bool = False
    ) -> None:
        """See to it that a device of this domain may have this key.

        With ``reserve``, for a device that the domain has, the pair is kept for it from now on.
        Raises ``PairTaken``, ``Throttled``.
        """
        pair = self.pair(domain_id, external_id, key)
        self._changes.note(domain_id, external_id, pair.digest)
        if reserve:
            async with self._engine.begin() as connection:
                await pair_rows.reserve(connection, pair, self._now())
        else:
            async with self._engine.connect() as connection:
                await pair_rows.check(connection, pair)

    async def claim(self, pair: Pair) -> bool:
        """Take a pair for a config that is older than the digests; tell whether it was free."""
        async with self._engine.begin() as connection:
            return await pair_rows.claim(connection, pair, self._now())

    async def former_hashes(self, config_id: str) -> Sequence[str]:
        """Return the hashes of keys with which the device was another domain's, before a config."""
        async with self._engine.connect() as connection:
            return await pair_rows.former_hashes(connection, config_id)

    async def settle(self, pair: Pair, older: str | None, domain_id: str = "") -> None:
        """Note which config has the pair: the ``older`` one of ``domain_id``, or as it is."""
        async with self._engine.begin() as connection:
            if older is None:
                await pair_rows.settle(connection, pair.digest)
            else:
                moved = evolve(pair, config_id=older, domain_id=domain_id)
                await pair_rows.move(connection, moved)
