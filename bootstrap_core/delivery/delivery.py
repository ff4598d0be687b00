"""The way of a device's request: find it, verify its key, render, answer.

Nothing here calls the platform. A device whose configuration has not changed since it was rendered
costs one small read.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Sequence
from typing import Final

from attrs import evolve

from bootstrap_core.credentials import EXTERNAL_KEY_BYTES
from bootstrap_core.delivery.answers import PartsMaker, Place, Rendered, RenderedContent, encode
from bootstrap_core.delivery.fetch_log import FetchLog
from bootstrap_core.errors import ConfigDisabled, DeviceRefused, NotRenderable, Throttled
from bootstrap_core.formats.rendering import Renderer
from bootstrap_core.keys import KeyHasher
from bootstrap_core.model import Status
from bootstrap_core.secrets import Sealer, Secret
from bootstrap_core.store.device_reads import DeviceReads, DeviceRow
from bootstrap_core.store.ownership import Ownership
from bootstrap_core.store.pair_rows import same
from bootstrap_core.throttle import Guesses, Throttle, network_of

INTERRUPTED: Final = "interrupted"


class Delivery:
    """Gives devices their configuration."""

    def __init__(
        self,
        reads: DeviceReads,
        hasher: KeyHasher,
        sealer: Sealer,
        renderer: Renderer,
        fetch_log: FetchLog,
        *,
        ownership: Ownership,
        throttle: Throttle,
        rendered: RenderedContent,
        refusal_step: float = 0.1,
    ) -> None:
        """Refusals are answered at the next full ``refusal_step`` (seconds) of the attempt.

        That hides which kind of hash was verified, and for how many domains. ``ownership`` knows
        whose device a pair of ID and key is.
        """
        self._reads = reads
        self._hasher = hasher
        self._maker = PartsMaker(sealer, renderer)
        self._fetch_log = fetch_log
        self._ownership = ownership
        self._throttle = throttle
        self._guesses = Guesses()
        self._rendered = rendered
        self._refusal_step = refusal_step

    async def fetch(
        self, place: Place, key: bytes | None, address: str, *, noted: bool = True
    ) -> Rendered:
        """Return the configuration of the device at ``place``, which shows its external key.

        Unless it is to be ``noted``, nobody is told later that the device asked.

        ``key`` is None when what was sent cannot be a key; that is refused like a wrong one. Where
        no domain is named the key decides between domains: a pair of ID and key is of one alone.

        Raises ``DeviceRefused``, ``ConfigDisabled``, ``NotRenderable``, ``Throttled``, ``Busy``.
        """
        digest = self._ownership.digests.of(place.external_id, key)
        kept = self._rendered.get(place)
        if (
            kept is not None
            and same(kept.pair, digest)
            and await self._holds(kept, place.external_id)
        ):
            self._look_at_guesses(place.external_id, address)
            return kept
        rows: Sequence[DeviceRow] = ()
        if "\0" not in place.external_id + place.domain_id:
            rows = await self._reads.rows(place.external_id, place.domain_id)
        try:
            row = await self._opened(rows, place, key, digest, address)
        except DeviceRefused as error:
            error.is_stored = bool(rows)
            raise
        if row.status != Status.ENABLED:
            if noted:
                self._fetch_log.note(row.config_id, ConfigDisabled.code)
            raise ConfigDisabled
        own = [each for each in rows if each.config_id == row.config_id]
        try:
            made = evolve(await self._render(own, place), pair=digest)
        except NotRenderable:
            if noted:
                self._fetch_log.note(row.config_id, NotRenderable.code)
            raise
        self._rendered.keep(place, made)
        return made

    async def _holds(self, kept: Rendered, external_id: str) -> bool:
        """Tell whether a configuration is still what it would be if it were made now."""
        # A revision is new at every write, so nothing else of a config need be looked at.
        now = await self._reads.profile_revision(external_id, kept.revision)
        return now == kept.profile_revision

    def note(self, rendered: Rendered, outcome: str) -> None:
        """Note how the fetch of ``rendered`` ended."""
        self._fetch_log.note(rendered.config_id, outcome, rendered.digest, rendered.given)

    def interrupted(self, rendered: Rendered) -> None:
        """Note that the connection was closed before the whole of ``rendered`` was sent."""
        self._fetch_log.note(rendered.config_id, INTERRUPTED)

    async def _opened(
        self,
        rows: Sequence[DeviceRow],
        place: Place,
        key: bytes | None,
        digest: str,
        address: str,
    ) -> DeviceRow:
        """Return the config that a key opens: that of the domain whose device it is.

        A config that is older than the digests of pairs is verified by the hash of its key; from
        the first time on its pair is known.
        """
        candidates = list({row.config_id: row for row in rows}.values())
        if candidates:
            self._look_at_guesses(place.external_id, address)
        own = next((row for row in candidates if same(row.pair, digest)), None)
        without_pair = [row for row in candidates if row.pair is None]
        if own is None:
            if candidates and not without_pair:
                # The key is known to be wrong, whether it is looked at any further or not.
                self._guesses.failed(place.external_id, address)
            return await self._verify(without_pair, place, _as_key(key), address)
        self._succeeded(place.external_id, address)
        if own.pair_is_settled or place.domain_id:
            return own
        older = [row for row in candidates[: candidates.index(own)] if row.pair is None]
        return await self._settled(own, older, place.external_id, _as_key(key))

    def _look_at_guesses(self, external_id: str, address: str) -> None:
        """Refuse every key, right or wrong, where too many wrong ones came: else it would tell."""
        if wait := self._guesses.wait(external_id, address):
            raise Throttled(wait)

    async def _settled(
        self, own: DeviceRow, older: Sequence[DeviceRow], external_id: str, key: Secret
    ) -> DeviceRow:
        """Return the oldest config that the key opens, and have it keep the pair."""
        pair = self._ownership.pair(own.domain_id, external_id, key, own.config_id)
        for row in older:
            if await self._hasher.verify(key, row.external_key_hash):
                await self._ownership.settle(pair, row.config_id, row.domain_id)
                return row
        await self._ownership.settle(pair, None)
        return own

    async def _verify(
        self, rows: Sequence[DeviceRow], place: Place, key: Secret, address: str
    ) -> DeviceRow:
        """Return the oldest config whose hash is the key's; refusals all take the same work."""
        started = time.monotonic()
        external_id = place.external_id
        hashes: list[str | None] = [row.external_key_hash for row in rows] or [None]

        lane = (network_of(address), external_id)

        def admit() -> None:
            self._throttle.check(external_id, address)

        matches = await asyncio.gather(
            *(self._hasher.verify(key, stored, admit=admit, lane=lane) for stored in hashes)
        )
        # An unknown device has one verification and no row.
        matched = next((row for row, fits in zip(rows, matches, strict=False) if fits), None)
        if key and matched and await self._is_owner(matched, place, key):
            self._succeeded(external_id, address)
            return matched
        self._throttle.failed(external_id, address)
        if rows:
            self._guesses.failed(external_id, address)
        if self._refusal_step:
            taken = time.monotonic() - started
            await asyncio.sleep(self._refusal_step - taken % self._refusal_step)
        raise DeviceRefused

    def _succeeded(self, external_id: str, address: str) -> None:
        self._throttle.succeeded(external_id)
        self._guesses.succeeded(external_id, address)

    async def _is_owner(self, row: DeviceRow, place: Place, key: Secret) -> bool:
        """Take the pair for a config that had none; tell whether the config answers.

        Where the pair is another domain's, a device that names its domain is served all the same.
        """
        for stored in await self._ownership.former_hashes(row.config_id):
            if await self._hasher.verify(key, stored):
                return bool(place.domain_id)
        pair = self._ownership.pair(row.domain_id, place.external_id, key, row.config_id)
        return await self._ownership.claim(pair) or bool(place.domain_id)

    async def _render(self, rows: Sequence[DeviceRow], place: Place) -> Rendered:
        row = rows[0]
        try:
            if self._rendered.is_failure(row):
                raise NotRenderable
            parts = await self._maker.parts(rows, place.external_id)
        except NotRenderable:
            self._rendered.keep_failure(row)
            raise
        body = encode(parts, place.dialect)
        digest = hashlib.sha256(body).hexdigest()
        return Rendered(
            row.config_id,
            row.revision,
            row.profile_revision or "",
            body,
            digest,
            self._maker.for_people(row, place.external_id, parts),
        )


def _as_key(sent: bytes | None) -> Secret:
    """Return what was sent as a key; empty, which opens nothing, when it can be none."""
    if sent is None or len(sent) > EXTERNAL_KEY_BYTES:
        return Secret("")
    try:
        return Secret(sent.decode())
    except UnicodeDecodeError:
        return Secret("")
