"""What devices get, kept as long as nothing that it is made of has changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from attrs import field, frozen

from bootstrap_core.parts import Dialect

OVERHEAD_BYTES: Final = 1000
CACHE_CONTROL: Final = (b"cache-control", b"private, no-cache")


class Place(NamedTuple):
    """What was asked for: ``domain_id`` is empty where the device named none."""

    external_id: str
    domain_id: str = ""
    dialect: Dialect = "device"


@frozen
class Rendered:
    """One config's answer, made at these revisions of config and profile.

    ``etag`` is its entity tag (RFC 9110), ``digest`` the SHA-256 of the body in hex; ``masked`` is
    its content with the secrets masked, for people; ``headers`` are those of the answer that
    carries the body.
    """

    config_id: str
    revision: str
    profile_revision: str
    body: bytes = field(repr=False)
    digest: str
    masked: str = field(default="", repr=False)
    etag: bytes = field(init=False)

    headers: Sequence[tuple[bytes, bytes]] = field(init=False, repr=False)

    @etag.default
    def _tag(self) -> bytes:
        return f'"{self.digest[:32]}"'.encode()

    @headers.default
    def _written(self) -> Sequence[tuple[bytes, bytes]]:
        return (
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(self.body)),
            (b"etag", self.etag),
            CACHE_CONTROL,
        )


class RenderedContent:
    """Keeps rendered configurations, up to ``limit`` bytes; the oldest give way."""

    def __init__(self, limit: int = 128 * 1024 * 1024) -> None:
        """``limit`` counts the bodies with a little for the rest of each."""
        self._limit = limit
        self._size = 0
        self._kept: dict[Place, Rendered] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, place: Place) -> Rendered | None:
        """Return what is kept for a place."""
        return self._kept.get(place)

    def keep(self, place: Place, rendered: Rendered) -> None:
        """Keep a configuration, instead of what was kept there."""
        if (old := self._kept.pop(place, None)) is not None:
            self._size -= _size(old)
        self._kept[place] = rendered
        self._size += _size(rendered)
        while self._size > self._limit:
            self._size -= _size(self._kept.pop(next(iter(self._kept))))


def _size(rendered: Rendered) -> int:
    return len(rendered.body) + len(rendered.masked) + OVERHEAD_BYTES
