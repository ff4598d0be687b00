"""What a device would be given now, for people who look at it; nothing is noted as a fetch."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from attrs import evolve, frozen

from bootstrap_core.configs import Configs
from bootstrap_core.device_reads import DeviceReads, DeviceRow
from bootstrap_core.errors import NotFound
from bootstrap_core.model import Config, Fetch
from bootstrap_core.parts import Parts, encode
from bootstrap_core.parts_maker import PartsMaker


@frozen
class Inspected:
    """A config's answer as it would be now, and the device's last fetch.

    ``digest`` is the SHA-256 of the body that the device would get, in hex; ``unchanged`` tells
    whether its last fetch gave it the same one, and is None where it never got any.
    """

    config: Config
    parts: Parts
    digest: str
    last_fetch: Fetch | None
    unchanged: bool | None


class Inspection:
    """Makes devices' answers without answering any device; callers have been let in already."""

    def __init__(self, configs: Configs, reads: DeviceReads, maker: PartsMaker) -> None:
        """Take what is stored, and what makes answers of it."""
        self._configs = configs
        self._reads = reads
        self._maker = maker

    async def masked(self, domain_id: str, config_id: str) -> Inspected:
        """Return the answer, secrets masked. Raises ``NotFound`` and ``NotRenderable``."""
        found, rows = await self._inspect(domain_id, config_id)
        parts = self._maker.masked(rows, found.config.external_id, found.parts)
        return evolve(found, parts=parts)

    async def whole(self, domain_id: str, config_id: str) -> Inspected:
        """Return the answer with its secrets. Raises ``NotFound`` and ``NotRenderable``."""
        found, _ = await self._inspect(domain_id, config_id)
        return found

    async def _inspect(
        self, domain_id: str, config_id: str
    ) -> tuple[Inspected, Sequence[DeviceRow]]:
        config, fetch = await self._configs.view(domain_id, config_id)
        found = await self._reads.rows(config.external_id, domain_id)
        rows = [each for each in found if each.config_id == config_id]
        if not rows:
            raise NotFound(f"config {config_id} was removed just now")
        whole = self._maker.parts(rows, config.external_id)
        digests = [
            hashlib.sha256(encode(whole, dialect)).hexdigest() for dialect in ("device", "thing")
        ]
        got = fetch.digest if fetch else ""
        unchanged = got in digests if got else None
        return Inspected(config, whole, digests[0], fetch, unchanged), rows
