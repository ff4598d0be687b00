"""What devices get, kept as long as nothing that it is made of has changed."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple

from attrs import evolve, field, frozen

from bootstrap_core.errors import NotRenderable, RenderError, SlotUnbound
from bootstrap_core.formats.rendering import (
    ContentFormat,
    RenderBinding,
    RenderContext,
    RenderDevice,
    Renderer,
    RenderProfile,
)
from bootstrap_core.model import THING_SLOT, ResourceType, require_bound, slots_from_json
from bootstrap_core.secrets import MASK, Sealer, Secret
from bootstrap_core.store.binding_rows import client_key_place, open_secrets, with_secrets
from bootstrap_core.store.device_reads import DeviceRow, json_column


class DeliveredContent:
    """One delivered configuration with its secrets masked.

    It is made of what the delivered one was made of, which takes as long once more: so not while
    the device waits, and not at all where the store has it. ``size`` says how many characters are
    held for it.
    """

    def __init__(self, make: Callable[[], Awaitable[str]], size: int) -> None:
        """``make`` gives the text; ``size`` is what it holds on to."""
        self._make: Callable[[], Awaitable[str]] | None = make
        self.size = size
        self._freed: Callable[[int], None] | None = None

    @property
    def is_stored(self) -> bool:
        """Whether the store has it, so that nothing is held for it any more."""
        return self._make is None

    async def text(self) -> str | None:
        """Return it; None where the store has it. Empty: it can't be made without the secrets."""
        return None if self._make is None else await self._make()

    def tell_freed(self, freed: Callable[[int], None]) -> None:
        """Have ``freed`` told the size once it is let go of."""
        self._freed = freed

    def let_go(self) -> None:
        """Take note that the store has it."""
        size, self.size, self._make = self.size, 0, None
        if self._freed is not None:
            self._freed(size)


# Whose shape an answer has: Magistrala's or Mainflux's. Plain text, since it is part of a key that
# is looked up at every request.
Dialect = Literal["device", "thing"]


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
        thing = {
            "id": parts.config_id,
            "key": _thing_key(parts),
            "channels": _channels(parts.bindings),
        }
        # Devices of Mainflux up to 0.13 read the one set of names, those of 0.14 the other.
        document = {
            "thing_id": thing["id"],
            "thing_key": thing["key"],
            "channels": thing["channels"],
            **{f"mainflux_{name}": value for name, value in thing.items()},
        }
    elif THING_SLOT in parts.bindings:
        # Devices of SuperMQ 0.16 to Magistrala 0.20 read these names.
        document |= {
            "client_id": parts.config_id,
            "client_secret": _thing_key(parts),
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


def masked_binding(binding: RenderBinding) -> RenderBinding:
    """Return a binding with a mask in the place of each of its secrets."""
    if binding.secret is None:
        return binding
    return evolve(binding, secret=dict.fromkeys(binding.secret, MASK))


class PartsMaker:
    """Opens, renders and gathers."""

    def __init__(self, sealer: Sealer, renderer: Renderer) -> None:
        """``sealer`` opens what is secret."""
        self._sealer = sealer
        self._renderer = renderer

    async def parts(self, rows: Sequence[DeviceRow], external_id: str) -> Parts:
        """Return the parts of the config that ``rows`` are of. Raises ``NotRenderable``."""
        row = rows[0]
        bound = {
            each.slot: RenderBinding(
                each.type,
                each.resource_id,
                json_column(each.snapshot),
                open_secrets(self._sealer, row.config_id, each.slot, each.sealed_secret),
            )
            for each in rows
            if each.slot is not None
        }
        sealed = row.sealed_client_key
        client_key = self._sealer.open(sealed, client_key_place(row.config_id)) if sealed else b""
        context = with_secrets(
            self._sealer, row.config_id, json_column(row.render_context), row.sealed_context
        )
        return Parts(
            row.config_id,
            await self._content(row, external_id, context, bound),
            row.client_cert,
            Secret(client_key.decode()),
            row.ca_cert,
            bound,
        )

    def for_people(self, row: DeviceRow, external_id: str, parts: Parts) -> DeliveredContent:
        """Return the content of the parts for people, which is made once somebody wants it."""

        async def make() -> str:
            try:
                return (await self.masked(row, external_id, parts)).content
            except NotRenderable:
                return ""

        held = [*row, parts.content, *map(str, (each.snapshot for each in parts.bindings.values()))]
        return DeliveredContent(make, sum(len(each) for each in held if isinstance(each, str)))

    async def masked(self, row: DeviceRow, external_id: str, parts: Parts) -> Parts:
        """Return the parts for people, their secrets masked, within the content too.

        Raises ``NotRenderable``: the template does not do with masks in the secrets' places.
        """
        bound = {slot: masked_binding(each) for slot, each in parts.bindings.items()}
        content = parts.content
        if bound != parts.bindings or row.sealed_context:
            context = json_column(row.render_context)
            content = await self._content(row, external_id, context, bound)
        key = Secret(MASK) if parts.client_key else parts.client_key
        return evolve(parts, content=content, client_key=key, bindings=bound)

    async def _content(
        self,
        row: DeviceRow,
        external_id: str,
        variables: Mapping[str, Any],
        bound: Mapping[str, RenderBinding],
    ) -> str:
        if row.profile_name is None:
            return row.content
        profile = RenderProfile(
            row.profile_name,
            ContentFormat(row.content_format),
            row.content_template,
            json_column(row.defaults),
        )
        context = RenderContext(
            RenderDevice(row.config_id, external_id, row.domain_id),
            variables,
            bound,
        )
        try:
            require_bound(slots_from_json(json_column(row.binding_slots)), bound)
            caller = f"devices of {row.domain_id}"
            return await self._renderer.rendered(profile, context, caller, in_turn=True)
        except (RenderError, SlotUnbound) as error:
            raise NotRenderable from error


OVERHEAD_BYTES: Final = 1000
FAILURES_KEPT: Final = 10_000
CACHE_CONTROL: Final = (b"cache-control", b"private, no-cache")


class Place(NamedTuple):
    """What was asked for: ``domain_id`` is empty where the device named none."""

    external_id: str
    domain_id: str = ""
    dialect: Dialect = "device"


@frozen
class Rendered:
    """One config's answer, made at these revisions of config and profile.

    ``etag`` is its entity tag (RFC 9110), ``digest`` the SHA-256 of the body in hex; ``given`` is
    its content for people; ``pair`` is the digest of the pair that opens it; ``headers`` are those
    of the answer that carries the body.
    """

    config_id: str
    revision: str
    profile_revision: str
    body: bytes = field(repr=False)
    digest: str
    given: DeliveredContent = field(repr=False, eq=False)
    pair: str = field(default="", repr=False)
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
        self._failed: dict[str, tuple[str, str | None]] = {}

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

        def freed(size: int) -> None:
            if self._kept.get(place) is rendered:
                self._size -= size

        rendered.given.tell_freed(freed)
        while self._size > self._limit:
            self._size -= _size(self._kept.pop(next(iter(self._kept))))

    def is_failure(self, row: DeviceRow) -> bool:
        """Tell whether a config, at these revisions of it and its profile, can't be rendered."""
        return self._failed.get(row.config_id) == (row.revision, row.profile_revision)

    def keep_failure(self, row: DeviceRow) -> None:
        """Keep that a config can't be rendered, until it or its profile changes."""
        self._failed.pop(row.config_id, None)
        self._failed[row.config_id] = (row.revision, row.profile_revision)
        if len(self._failed) > FAILURES_KEPT:
            del self._failed[next(iter(self._failed))]


def _size(rendered: Rendered) -> int:
    return len(rendered.body) + rendered.given.size + OVERHEAD_BYTES
