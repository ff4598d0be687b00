"""Configs as their owners manage them: create, view, list, change, enable, disable, remove."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, ClassVar, Final, TypeAlias

from attrs import evolve, field, frozen
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from bootstrap_core.bodies import NOT_SENT, Body, Check, described, named
from bootstrap_core.credentials import (
    EXTERNAL_ID_BYTES,
    EXTERNAL_KEY_BYTES,
    external_key_fault,
    new_external_id_fault,
)
from bootstrap_core.delivery.fetch_log import FetchLog
from bootstrap_core.errors import NotFound, Unprocessable
from bootstrap_core.keys import KeyHasher
from bootstrap_core.model import (
    Binding,
    BindingSlot,
    Config,
    Fetch,
    Page,
    Resource,
    ResourceType,
    Status,
    certificate_resource,
    new_id,
    new_revision,
    utc_now,
)
from bootstrap_core.ports import Settle, settle_nothing
from bootstrap_core.secrets import Sealer, Secret
from bootstrap_core.store import binding_rows, config_rows, fetch_rows, pair_rows, profile_rows
from bootstrap_core.store.config_rows import ConfigQuery
from bootstrap_core.store.ownership import Ownership
from bootstrap_core.store.pair_rows import Pair
from bootstrap_core.store.tables import conflicts_named

PRIVATE_KEY: Final = "private_key"
NO_KEY: Final = Secret("")
CONFIG: Final = frozenset({
    "id", "config_id", "client_id", "thing_id", "mainflux_id", "client_secret", "thing_key",
    "mainflux_key", "channels", "mainflux_channels", "external_id", "external_key", "name",
    "content", "client_cert", "client_key", "ca_cert", "state", "status", "profile_id",
    "render_context", "domain_id", "owner", "created_at", "updated_at", "updated_by",
    "last_fetch",
})  # fmt: skip
"""Fields of a config in any release: sent, answered, or both."""
ExternalID: TypeAlias = Annotated[
    str, Check(new_external_id_fault), described(minLength=1, maxLength=EXTERNAL_ID_BYTES)
]
ExternalKey: TypeAlias = Annotated[
    Secret, Check(external_key_fault), described(minLength=1, maxLength=EXTERNAL_KEY_BYTES)
]


@frozen
class HeldCertificate:
    """A client's certificate with its chain (PEM); the key is empty where it is not held here."""

    serial: str
    client_id: str
    certificate: str
    expires_at: datetime
    chain: str
    private_key: Secret = field(default=NO_KEY)


async def replace_certificate(
    connection: AsyncConnection,
    sealer: Sealer,
    place: tuple[str, str],
    old: HeldCertificate,
    new: HeldCertificate,
    at: datetime,
) -> bool:
    """Put ``new`` where the config at ``place`` (domain, config ID) holds ``old``.

    Returns whether it held it anywhere; a config that is not there does not.
    """
    config = await config_rows.find_for_update(connection, *place)
    if config is None:
        return False
    bound = [
        each
        for each in await binding_rows.of_config(connection, config.id)
        if each.type is ResourceType.CERTIFICATE and each.resource_id == old.serial
    ]
    changed = config
    if config.client_cert.strip() == old.certificate.strip():
        changed = evolve(
            config,
            client_cert=new.certificate,
            ca_cert=new.chain,
            sealed_client_key=binding_rows.seal_client_key(sealer, config.id, new.private_key),
        )
    if changed is config and not bound:
        return False
    slots = await _slots(connection, config)
    fresh = evolve(changed, revision=new_revision(), updated_at=at)
    await config_rows.replace(connection, fresh)
    rebound = [_rebound(sealer, each, slots, new, at) for each in bound]
    await binding_rows.put(connection, rebound)
    return True


def _rebound(
    sealer: Sealer,
    binding: Binding,
    slots: Mapping[str, BindingSlot],
    certificate: HeldCertificate,
    at: datetime,
) -> Binding:
    resource = certificate_resource(
        certificate.serial,
        client_id=certificate.client_id,
        certificate=certificate.certificate,
        expires_at=certificate.expires_at,
    )
    # Empty rather than left out, so that a template that shows the key still renders.
    resource = evolve(resource, secret={PRIVATE_KEY: certificate.private_key})
    slot = slots.get(binding.slot, BindingSlot(binding.slot, ResourceType.CERTIFICATE))
    return binding_rows.snapshot(sealer, binding.config_id, slot, resource, at)


async def _slots(connection: AsyncConnection, config: Config) -> Mapping[str, BindingSlot]:
    if not config.profile_id:
        return {}
    profile = await profile_rows.find(connection, config.domain_id, config.profile_id)
    return {slot.name: slot for slot in profile.binding_slots} if profile else {}


@frozen
class NewConfig:
    """A config to be created; ``id`` empty lets the service choose one.

    ``bound`` are resources that are bound to slots of these names from the start; ``connected``
    tells that the client among them is connected to the channels.
    """

    body: ClassVar[Body] = Body("NewConfig", known=CONFIG)

    external_id: ExternalID
    external_key: ExternalKey
    id: Annotated[str, NOT_SENT] = ""
    name: str = ""
    content: str = field(default="", repr=False)
    client_cert: str = ""
    client_key: Secret = NO_KEY
    ca_cert: str = ""
    profile_id: str = ""
    render_context: Mapping[str, Any] = field(factory=dict)
    bound: Annotated[Mapping[str, Resource], NOT_SENT] = field(factory=dict)
    status: Annotated[Status, NOT_SENT] = Status.ENABLED
    connected: Annotated[bool, NOT_SENT] = False


@frozen
class ConfigDraft:
    """A config as it is about to be written, with its device's pair and its bindings."""

    config: Config
    pair: Pair
    bindings: Sequence[Binding]


class _RehearsedError(Exception):
    """Rolls a rehearsal back."""


@frozen
class ConfigChange:
    """What a PATCH names of a config; None leaves a field as it is, null clears it."""

    body: ClassVar[Body] = Body("ConfigChange", known=CONFIG, null_clears=True)

    name: str | None = None
    content: str | None = None
    render_context: Mapping[str, Any] | None = None


@frozen
class CertificateChange:
    """What a PATCH names of a config's certificates; None leaves a field, null clears it."""

    body: ClassVar[Body] = Body("Certificates", known=CONFIG, null_clears=True)

    client_cert: str | None = None
    client_key: Secret | None = None
    ca_cert: str | None = None


class Configs:
    """The configs of all domains; callers have been let in already."""

    def __init__(
        self,
        engine: AsyncEngine,
        hasher: KeyHasher,
        sealer: Sealer,
        fetch_log: FetchLog,
        ownership: Ownership,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        """``fetch_log`` knows fetches not written yet, ``ownership`` whose device is whose."""
        self._ownership = ownership
        self._engine = engine
        self._hasher = hasher
        self._sealer = sealer
        self._fetch_log = fetch_log
        self._now = now

    async def create(self, domain_id: str, new: NewConfig) -> Config:
        """Create a config; raises what ``draft`` and ``add`` raise."""
        draft = await self.draft(domain_id, new)
        await self.add(draft, settle_nothing)
        return draft.config

    async def draft(self, domain_id: str, new: NewConfig) -> ConfigDraft:
        """Return what is to be written of a new config; nothing is written.

        Raises ``PairTaken``: another domain's device has the external key; ``Throttled``: too many
        keys were tried.
        """
        await self._ownership.admit(domain_id, new.external_id, new.external_key)
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
        pair = self._ownership.pair(domain_id, new.external_id, new.external_key, config_id)
        return ConfigDraft(config, pair, self._bindings(config, new))

    async def rehearse(self, draft: ConfigDraft) -> None:
        """Make sure that a draft can be written; nothing is written. Raises what ``add`` raises."""

        async def roll_back(_: AsyncConnection) -> None:
            raise _RehearsedError

        with contextlib.suppress(_RehearsedError):
            await self.add(draft, roll_back)

    async def add(self, draft: ConfigDraft, settle: Settle) -> None:
        """Write a draft, and what ``settle`` writes, in one transaction.

        Raises ``Conflict``: name, external ID or ID is taken; ``PairTaken``: so is the external
        key; ``Unprocessable``: no such profile.
        """
        config = draft.config
        with conflicts_named(name=config.name, external_id=config.external_id):
            async with self._engine.begin() as connection:
                await _require_profile(connection, config.domain_id, config.profile_id)
                await config_rows.add(connection, config)
                await pair_rows.take(connection, draft.pair, config.created_at)
                await binding_rows.put(connection, draft.bindings)
                await settle(connection)

    async def view(self, domain_id: str, config_id: str) -> tuple[Config, Fetch | None]:
        """Return a config and its device's last fetch. Raises ``NotFound``.

        The content of a fetch that is not written yet is the one before: see
        ``view_with_content``.
        """
        async with self._engine.connect() as connection:
            config = await config_rows.find(connection, domain_id, config_id)
            if config is None:
                raise not_found(config_id)
            noted = self._fetch_log.pending(config_id)
            written = await fetch_rows.find(connection, config_id)
        if noted is not None and written is not None:
            return config, evolve(noted, content=written.content)
        return config, noted or written

    async def view_with_content(
        self, domain_id: str, config_id: str
    ) -> tuple[Config, Fetch | None]:
        """Do as ``view`` does; the fetch has the content of now, which may have to be made."""
        config, fetch = await self.view(domain_id, config_id)
        content = await self._fetch_log.content(config_id)
        if content is None:
            # What was noted before may have been written meanwhile.
            return await self.view(domain_id, config_id)
        return config, evolve(fetch, content=content) if fetch else None

    async def list(self, query: ConfigQuery) -> Page[Config]:
        """List configs, newest first."""
        async with self._engine.connect() as connection:
            return await config_rows.page(connection, query)

    async def change(self, domain_id: str, config_id: str, change: ConfigChange) -> Config:
        """Change what is named. Raises ``NotFound``; ``Conflict``: the name is taken."""
        return await self._update(domain_id, config_id, named(change))

    def _sealed(self, config: Config, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return a change in which variables that are secret in ``config`` are sealed again."""
        if not config.sealed_context or "render_context" not in values:
            return dict(values)
        context, sealed = binding_rows.with_secrets_sealed(
            self._sealer, config.id, values["render_context"], config.sealed_context
        )
        return {**values, "render_context": context, "sealed_context": sealed}

    async def change_certificates(
        self, domain_id: str, config_id: str, change: CertificateChange
    ) -> Config:
        """Change the certificates that are named. Raises ``NotFound``."""
        values = named(change)
        if (key := values.pop("client_key", None)) is not None:
            sealed = binding_rows.seal_client_key(self._sealer, config_id, key)
            values["sealed_client_key"] = sealed
        return await self._update(domain_id, config_id, values)

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
                changed = evolve(config, **self._sealed(config, named))
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
