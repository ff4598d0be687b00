"""What devices get, kept as long as nothing that it is made of has changed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple

from attrs import field, frozen

from bootstrap_core.model import ResourceType
from bootstrap_core.rendering import RenderBinding
from bootstrap_core.secret import Secret

OVERHEAD_BYTES: Final = 1000
CACHE_CONTROL: Final = (b"cache-control", b"private, no-cache")


# Whose shape an answer has: Magistrala's or Mainflux's. Plain text, since it is part of a key that
# is looked up at every request.
Dialect = Literal["device", "thing"]


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


@frozen
class Parts:
    """What an answer is made of; ``bindings`` are the opened ones, by slot."""

    config_id: str
    content: str = field(repr=False)
    client_cert: str
    client_key: Secret
    ca_cert: str
    bindings: Mapping[str, RenderBinding]


def encode(parts: Parts, dialect: Dialect) -> bytes:
    """Write the answer of Magistrala's or Mainflux's bootstrap route as JSON."""
    document: dict[str, Any] = {"id": parts.config_id}
    if dialect == "thing":
        document = {
            "thing_id": parts.config_id,
            "thing_key": _thing_key(parts),
            "channels": _channels(parts.bindings),
        }
    document |= {
        "content": parts.content,
        "client_cert": parts.client_cert,
        "client_key": parts.client_key.reveal(),
        "ca_cert": parts.ca_cert,
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def _thing_key(parts: Parts) -> str:
    """Return the secret of the client that the config is named after, when it is bound."""
    for binding in parts.bindings.values():
        if binding.type == ResourceType.CLIENT and binding.id == parts.config_id:
            return str((binding.secret or {}).get("secret", ""))
    return ""


def _channels(bindings: Mapping[str, RenderBinding]) -> list[dict[str, Any]]:
    """Return the bound channels, each once."""
    channels = {
        binding.id: {
            "id": binding.id,
            "name": (binding.snapshot or {}).get("name", ""),
            "metadata": (binding.snapshot or {}).get("metadata", {}),
        }
        for binding in bindings.values()
        if binding.type == ResourceType.CHANNEL
    }
    return list(channels.values())


def _size(rendered: Rendered) -> int:
    return len(rendered.body) + len(rendered.masked) + OVERHEAD_BYTES
