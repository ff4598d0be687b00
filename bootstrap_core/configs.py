"""Configs as their owners manage them: create, view, list, change, enable, disable, remove."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from attrs import evolve, field, frozen
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from bootstrap_core import binding_rows, config_rows, fetch_rows, profile_rows
from bootstrap_core.config_rows import ConfigQuery
from bootstrap_core.conflicts import conflicts_named
from bootstrap_core.documents import Document
from bootstrap_core.errors import NotFound, Unprocessable
from bootstrap_core.fetch_log import FetchLog
from bootstrap_core.keys import KeyHasher
from bootstrap_core.model import (
    EXTERNAL_ID_BYTES,
    EXTERNAL_KEY_BYTES,
    Binding,
    BindingSlot,
    Config,
    Fetch,
    Page,
    Resource,
    Status,
    new_id,
    new_revision,
    utc_now,
)
from bootstrap_core.sealing import Sealer
from bootstrap_core.secret import Secret


@frozen
class NewConfig:
    """A config to be created; ``id`` empty lets the service choose one.

    ``bound`` are resources that are bound to slots of these names from the start; ``connected``
    tells that the client among them is connected to the channels.
    """

    external_id: str
    external_key: Secret
    id: str = ""
    name: str = ""
    content: str = field(default="", repr=False)
    client_cert: str = ""
    client_key: Secret = Secret("")
    ca_cert: str = ""
    profile_id: str = ""
    render_context: Mapping[str, Any] = field(factory=dict)
    bound: Mapping[str, Resource] = field(factory=dict)
    status: Status = Status.ENABLED
    connected: bool = False

    @classmethod
    def read(cls, document: Document) -> NewConfig:
        """Read the body of a create request. Raises ``Malformed``, ``Unprocessable``."""
        return cls(
            external_id=document.bounded_text("external_id", EXTERNAL_ID_BYTES),
            external_key=Secret(document.bounded_text("external_key", EXTERNAL_KEY_BYTES)),
            name=document.text("name"),
            content=document.text("content"),
            client_cert=document.text("client_cert"),
            client_key=Secret(document.text("client_key")),
            ca_cert=document.text("ca_cert"),
            profile_id=document.text("profile_id"),
            render_context=document.object("render_context"),
        )


@frozen
class ConfigChange:
    """What a PATCH names of a config; None leaves a field as it is."""

    name: str | None = None
    content: str | None = None
    render_context: Mapping[str, Any] | None = None

    @classmethod
    def read(cls, document: Document) -> ConfigChange:
        """Read the body of a PATCH; null clears. Raises ``Malformed``, ``Unprocessable``."""
        return cls(
            name=document.text("name") if "name" in document else None,
            content=document.text("content") if "content" in document else None,
            render_context=document.object("render_context")
            if "render_context" in document
            else None,
        )


@frozen
class CertificateChange:
    """What a PATCH names of a config's certificates; None leaves a field as it is."""

    client_cert: str | None = None
    client_key: Secret | None = None
    ca_cert: str | None = None

    @classmethod
    def read(cls, document: Document) -> CertificateChange:
        """Read the body of a PATCH; null clears. Raises ``Malformed``, ``Unprocessable``."""

        def named(key: str) -> str | None:
            return document.text(key) if key in document else None

        key = named("client_key")
        return cls(named("client_cert"), None if key is None else Secret(key), named("ca_cert"))


class Configs:
    """The configs of all domains; callers have been let in already."""

    def __init__(
        self,
        engine: AsyncEngine,
        hasher: KeyHasher,
        sealer: Sealer,
        fetch_log: FetchLog,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        """``fetch_log`` knows the fetches that are not written yet."""
        self._engine = engine
        self._hasher = hasher
        self._sealer = sealer
        self._fetch_log = fetch_log
        self._now = now

    async def create(self, domain_id: str, new: NewConfig) -> Config:
        """Create a config.

        Raises ``Conflict``: name or external ID is taken; ``Unprocessable``: no such profile.
        """
        hashed = await self._hasher.hash(new.external_key)
        at = self._now()
        config_id = new.id or new_id()
        config = Config(
            id=config_id,
            domain_id=domain_id,
            external_id=new.external_id,
            external_key_hash=hashed,
            created_at=at,
            updated_at=at,
            name=new.name,
            status=new.status,
            connected=new.connected,
            profile_id=new.profile_id,
            content=new.content,
            render_context=new.render_context,
            client_cert=new.client_cert,
            sealed_client_key=binding_rows.seal_client_key(self._sealer, config_id, new.client_key),
            ca_cert=new.ca_cert,
            revision=new_revision(),
        )
        with conflicts_named(name=new.name, external_id=new.external_id):
            async with self._engine.begin() as connection:
                await _require_profile(connection, domain_id, new.profile_id)
                await config_rows.add(connection, config)
                await binding_rows.put(connection, self._bindings(config, new))
        return config

    async def view(self, domain_id: str, config_id: str) -> tuple[Config, Fetch | None]:
        """Return a config and its device's last fetch. Raises ``NotFound``."""
        async with self._engine.connect() as connection:
            config = await config_rows.find(connection, domain_id, config_id)
            if config is None:
                raise not_found(config_id)
            noted = self._fetch_log.pending(config_id)
            if noted is not None and noted.content is not None:
                return config, noted
            written = await fetch_rows.find(connection, config_id)
        if noted is not None and written is not None:
            return config, evolve(noted, content=written.content)
        return config, noted or written

    async def list(self, query: ConfigQuery) -> Page[Config]:
        """List configs, newest first."""
        async with self._engine.connect() as connection:
            return await config_rows.page(connection, query)

    async def change(self, domain_id: str, config_id: str, change: ConfigChange) -> Config:
        """Change what is named. Raises ``NotFound``; ``Conflict``: the name is taken."""
        named = {
            key: value
            for key, value in (
                ("name", change.name),
                ("content", change.content),
                ("render_context", change.render_context),
            )
            if value is not None
        }
        return await self._update(domain_id, config_id, named)

    async def change_certificates(
        self, domain_id: str, config_id: str, change: CertificateChange
    ) -> Config:
        """Change the certificates that are named. Raises ``NotFound``."""
        named: dict[str, Any] = {}
        if change.client_cert is not None:
            named["client_cert"] = change.client_cert
        if change.client_key is not None:
            key = binding_rows.seal_client_key(self._sealer, config_id, change.client_key)
            named["sealed_client_key"] = key
        if change.ca_cert is not None:
            named["ca_cert"] = change.ca_cert
        return await self._update(domain_id, config_id, named)

    async def set_status(self, domain_id: str, config_id: str, status: Status) -> Config:
        """Enable or disable a config. Raises ``NotFound``."""
        return await self._update(domain_id, config_id, {"status": status})

    async def set_connected(
        self, domain_id: str, config_id: str, status: Status, *, connected: bool
    ) -> Config:
        """Enable or disable a config whose client was (dis)connected. Raises ``NotFound``."""
        return await self._update(domain_id, config_id, {"status": status, "connected": connected})

    async def remove(self, domain_id: str, config_id: str) -> None:
        """Delete a config with its bindings; one that is not there is no error."""
        async with self._engine.begin() as connection:
            await config_rows.remove(connection, domain_id, config_id)

    async def _update(self, domain_id: str, config_id: str, named: Mapping[str, Any]) -> Config:
        with conflicts_named(name=str(named.get("name", ""))):
            async with self._engine.begin() as connection:
                config = await config_rows.find_for_update(connection, domain_id, config_id)
                if config is None:
                    raise not_found(config_id)
                changed = evolve(config, **named)
                if changed == config:
                    return config
                changed = evolve(changed, revision=new_revision(), updated_at=self._now())
                await config_rows.replace(connection, changed)
        return changed

    def _bindings(self, config: Config, new: NewConfig) -> Sequence[Binding]:
        return [
            binding_rows.snapshot(
                self._sealer,
                config.id,
                BindingSlot(slot, resource.type),
                resource,
                config.created_at,
            )
            for slot, resource in new.bound.items()
        ]


def not_found(config_id: str) -> NotFound:
    """Return the error for a config that is not in the caller's domain."""
    return NotFound(f"there is no config {config_id!r} in this domain")


async def _require_profile(connection: AsyncConnection, domain_id: str, profile_id: str) -> None:
    if profile_id and await profile_rows.find(connection, domain_id, profile_id) is None:
        raise Unprocessable(
            f"profile_id: there is no profile {profile_id!r} in this domain; create it first",
            details={"field": "profile_id", "value": profile_id},
        )
