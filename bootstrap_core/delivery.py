"""The way of a device's request: find it, verify its key, render, answer.

Nothing here calls the platform. A device whose key was verified a while ago, and whose
configuration has not changed since it was rendered, costs one small read.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Sequence

from bootstrap_core.device_reads import DeviceReads, DeviceRow
from bootstrap_core.errors import ConfigDisabled, DeviceRefused, NotRenderable
from bootstrap_core.fetch_log import FetchLog
from bootstrap_core.keys import KeyHasher, VerifiedKeys
from bootstrap_core.model import EXTERNAL_KEY_BYTES, Status
from bootstrap_core.parts import Parts, encode
from bootstrap_core.parts_maker import PartsMaker
from bootstrap_core.rendered import Place, Rendered, RenderedContent
from bootstrap_core.rendering import Renderer
from bootstrap_core.sealing import Sealer
from bootstrap_core.secret import Secret
from bootstrap_core.throttle import Throttle


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
        verified: VerifiedKeys,
        throttle: Throttle,
        rendered: RenderedContent,
        refusal_step: float = 0.1,
    ) -> None:
        """Refusals are answered at the next full ``refusal_step`` (seconds) of the attempt.

        That hides which kind of hash was verified, and for how many domains.
        """
        self._reads = reads
        self._hasher = hasher
        self._maker = PartsMaker(sealer, renderer)
        self._fetch_log = fetch_log
        self._verified = verified
        self._throttle = throttle
        self._rendered = rendered
        self._refusal_step = refusal_step

    async def fetch(self, place: Place, key: bytes | None, address: str) -> Rendered:
        """Return the configuration of the device at ``place``, which shows its external key.

        ``key`` is None when what was sent cannot be a key; that is refused like a wrong one. Where
        no domain is named the key decides between domains, and the oldest config wins.

        Raises ``DeviceRefused``, ``ConfigDisabled``, ``NotRenderable``, ``Throttled``, ``Busy``.
        """
        kept = self._rendered.get(place)
        if (
            kept is not None
            and key
            and self._verified.knows(kept.config_id, kept.revision, key)
            and await self._holds(kept, place.external_id)
        ):
            return kept
        rows: Sequence[DeviceRow] = ()
        if "\0" not in place.external_id + place.domain_id:
            rows = await self._reads.rows(place.external_id, place.domain_id)
        row = self._remembered(rows, key) if key else None
        if row is None:
            row = await self._verify(rows, place.external_id, key, address)
        if row.status != Status.ENABLED:
            self._fetch_log.note(row.config_id, ConfigDisabled.code)
            raise ConfigDisabled
        made = self._render([each for each in rows if each.config_id == row.config_id], place)
        self._rendered.keep(place, made)
        return made

    async def _holds(self, kept: Rendered, external_id: str) -> bool:
        """Tell whether a configuration is still what it would be if it were made now."""
        # A revision is new at every write, so nothing else of a config need be looked at.
        now = await self._reads.profile_revision(external_id, kept.revision)
        return now == kept.profile_revision

    def note(self, rendered: Rendered, outcome: str) -> None:
        """Note how the fetch of ``rendered`` ended."""
        self._fetch_log.note(rendered.config_id, outcome, rendered.digest, rendered.masked)

    def _remembered(self, rows: Sequence[DeviceRow], key: bytes) -> DeviceRow | None:
        for row in rows:
            if self._verified.knows(row.config_id, row.revision, key):
                return row
        return None

    async def _verify(
        self, rows: Sequence[DeviceRow], external_id: str, key: bytes | None, address: str
    ) -> DeviceRow:
        started = time.monotonic()
        candidates = list({row.config_id: row for row in rows}.values())
        hashes: list[str | None] = [row.external_key_hash for row in candidates] or [None]
        presented = _as_key(key)

        def admit() -> None:
            self._throttle.check(external_id, address)

        matches = await asyncio.gather(
            *(self._hasher.verify(presented, stored, admit=admit) for stored in hashes)
        )
        # An unknown device has one verification and no candidate.
        for row, matched in zip(candidates, matches, strict=False):
            if matched and presented:
                self._throttle.succeeded(external_id)
                self._verified.remember(row.config_id, row.revision, presented.encode())
                return row
        self._throttle.failed(external_id, address)
        if self._refusal_step:
            taken = time.monotonic() - started
            await asyncio.sleep(self._refusal_step - taken % self._refusal_step)
        raise DeviceRefused

    def _render(self, rows: Sequence[DeviceRow], place: Place) -> Rendered:
        row = rows[0]
        try:
            parts = self._maker.parts(rows, place.external_id)
        except NotRenderable:
            self._fetch_log.note(row.config_id, NotRenderable.code)
            raise
        body = encode(parts, place.dialect)
        digest = hashlib.sha256(body).hexdigest()
        return Rendered(
            row.config_id,
            row.revision,
            row.profile_revision or "",
            body,
            digest,
            self._masked(rows, place.external_id, parts),
        )

    def _masked(self, rows: Sequence[DeviceRow], external_id: str, parts: Parts) -> str:
        """Return the content for people; empty where it can't be made without the secrets."""
        try:
            return self._maker.masked(rows, external_id, parts).content
        except NotRenderable:
            return ""


def _as_key(sent: bytes | None) -> Secret:
    """Return what was sent as a key; empty, which opens nothing, when it can be none."""
    if sent is None or len(sent) > EXTERNAL_KEY_BYTES:
        return Secret("")
    try:
        return Secret(sent.decode())
    except UnicodeDecodeError:
        return Secret("")
