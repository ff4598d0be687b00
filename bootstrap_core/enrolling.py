"""The narrow way in for whoever enrolls devices as part of a larger transaction.

Everything happens on the caller's own connection: config, profile and bindings are there together
with whatever else the caller commits, or not at all. Nothing here is slow: the external key is
hashed beforehand (``KeyHasher.hash``), resources are resolved beforehand.

    hashed = await hasher.hash(external_key)
    async with engine.begin() as connection:
        profile = await enroller.put_profile(connection, domain_id, inline)
        await enroller.put_config(connection, Enrollment(..., profile=profile))
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from attrs import evolve, field, frozen
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from bootstrap_core import binding_rows, config_rows, fetch_rows, inline_profiles, profile_rows
from bootstrap_core.errors import Conflict, NotFound
from bootstrap_core.inline_profiles import InlineProfile
from bootstrap_core.model import (
    Binding,
    BindingSlot,
    Config,
    Fetch,
    Profile,
    Resource,
    Status,
    new_revision,
    utc_now,
)
from bootstrap_core.sealing import Sealer
from bootstrap_core.secret import Secret


@frozen
class Enrollment:
    """A config as it shall be, with the resources that are bound to its profile's slots.

    ``external_key_hash`` comes from ``KeyHasher.hash``. ``name`` is a wish: should another config
    of the domain have it, the ID's first part is appended. ``status`` is a new config's; one that
    is there keeps its own. ``profile`` is one of the domain's. ``bindings`` maps slots to resources
    and is the whole set: what is bound to other slots is unbound.
    """

    config_id: str
    domain_id: str
    external_id: str
    external_key_hash: str = field(repr=False)
    name: str = ""
    status: Status = Status.ENABLED
    profile: Profile | None = None
    render_context: Mapping[str, Any] = field(factory=dict)
    content: str = ""
    client_cert: str = ""
    client_key: Secret = Secret("")
    ca_cert: str = ""
    bindings: Mapping[str, Resource] = field(factory=dict)


@frozen
class Enrolled:
    """A config with its bindings and the device's last fetch."""

    config: Config
    bindings: Sequence[Binding]
    last_fetch: Fetch | None


class Enroller:
    """Writes enrollments on connections that the caller gives."""

    def __init__(self, sealer: Sealer, now: Callable[[], datetime] = utc_now) -> None:
        """``sealer`` seals private keys and the secrets of bound resources."""
        self._sealer = sealer
        self._now = now

    async def put_profile(
        self, connection: AsyncConnection, domain_id: str, inline: InlineProfile
    ) -> Profile:
        """Return the domain's profile for ``inline``, made or brought up to date."""
        return await inline_profiles.put(connection, domain_id, inline, self._now())

    async def find_profile(
        self, connection: AsyncConnection, domain_id: str, reference: str
    ) -> Profile:
        """Return the domain's profile with this ID or, failing that, this name.

        Raises ``NotFound``.
        """
        found = await profile_rows.find(connection, domain_id, reference)
        found = found or await profile_rows.find_by_name(connection, domain_id, reference)
        if found is None:
            raise NotFound(f"profile: none has the ID or name {reference!r} in this domain")
        return found

    async def put_config(self, connection: AsyncConnection, enrollment: Enrollment) -> Config:
        """Create the config, or make the one with this ID as the enrollment says; and its bindings.

        Raises ``Conflict``: another config of the domain has the external ID (``details`` name
        it), or a config of another domain has the ID.
        """
        config = self._config(enrollment)
        if not await config_rows.add_if_free(connection, config):
            config = await self._put_where_taken(connection, config)
        profile = enrollment.profile
        slots = {slot.name: slot for slot in profile.binding_slots} if profile else {}
        bound = [
            binding_rows.snapshot(
                self._sealer,
                config.id,
                slots.get(name, BindingSlot(name, resource.type)),
                resource,
                config.updated_at,
            )
            for name, resource in enrollment.bindings.items()
        ]
        await binding_rows.add(connection, bound)
        return config

    async def set_status(
        self, connection: AsyncConnection, domain_id: str, config_id: str, status: Status
    ) -> None:
        """Enable or disable a config; one that is not there is no error."""
        config = await config_rows.find_for_update(connection, domain_id, config_id)
        if config is not None:
            changed = evolve(config, status=status, revision=new_revision(), updated_at=self._now())
            await config_rows.replace(connection, changed)

    async def remove(self, connection: AsyncConnection, domain_id: str, config_id: str) -> None:
        """Delete a config with its bindings; one that is not there is no error."""
        await config_rows.remove(connection, domain_id, config_id)

    async def view(
        self, connection: AsyncConnection, domain_id: str, config_id: str
    ) -> Enrolled | None:
        """Return the config with its bindings and last fetch; None when it is not there."""
        config = await config_rows.find(connection, domain_id, config_id)
        return await self._enrolled(connection, config)

    async def view_device(
        self, connection: AsyncConnection, domain_id: str, external_id: str
    ) -> Enrolled | None:
        """Return the same as ``view``, by external ID."""
        config = await config_rows.find_by_external_id(connection, domain_id, external_id)
        return await self._enrolled(connection, config)

    async def _enrolled(
        self, connection: AsyncConnection, config: Config | None
    ) -> Enrolled | None:
        if config is None:
            return None
        bound = await binding_rows.of_config(connection, config.id)
        return Enrolled(config, bound, await fetch_rows.find(connection, config.id))

    def _config(self, enrollment: Enrollment) -> Config:
        at = self._now()
        return Config(
            id=enrollment.config_id,
            domain_id=enrollment.domain_id,
            external_id=enrollment.external_id,
            external_key_hash=enrollment.external_key_hash,
            created_at=at,
            updated_at=at,
            name=enrollment.name,
            status=enrollment.status,
            profile_id=enrollment.profile.id if enrollment.profile else "",
            content=enrollment.content,
            render_context=dict(enrollment.render_context),
            client_cert=enrollment.client_cert,
            sealed_client_key=binding_rows.seal_client_key(
                self._sealer, enrollment.config_id, enrollment.client_key
            ),
            ca_cert=enrollment.ca_cert,
            # An onboarding connects the client to its channels before it gets here.
            connected=True,
            revision=new_revision(),
        )

    async def _put_where_taken(self, connection: AsyncConnection, config: Config) -> Config:
        """Write a config of whose ID, external ID and name one at least is there already."""
        existing = await config_rows.find_for_update(connection, config.domain_id, config.id)
        if existing is not None:
            return await self._replace(connection, config, existing)
        other = await config_rows.find_by_external_id(
            connection, config.domain_id, config.external_id
        )
        if other is not None:
            raise _belongs_to(other)
        renamed = evolve(config, name=_with_suffix(config))
        if not config.name or not await config_rows.add_if_free(connection, renamed):
            raise Conflict(f"id: a config {config.id} exists in another domain")
        return renamed

    async def _replace(
        self, connection: AsyncConnection, config: Config, existing: Config
    ) -> Config:
        config = evolve(config, created_at=existing.created_at, status=existing.status)
        if await config_rows.name_is_taken(
            connection, config.domain_id, config.name, by_other_than=config.id
        ):
            config = evolve(config, name=_with_suffix(config))
        await binding_rows.remove_all(connection, config.id)
        try:
            async with connection.begin_nested():
                await config_rows.replace(connection, config)
        except IntegrityError as error:
            other = await config_rows.find_by_external_id(
                connection, config.domain_id, config.external_id
            )
            if other is not None and other.id != config.id:
                raise _belongs_to(other) from error
            # Another process took the name in this very moment.
            config = evolve(config, name=_with_suffix(config))
            await config_rows.replace(connection, config)
        return config


def _belongs_to(other: Config) -> Conflict:
    return Conflict(
        f"external_id: {other.external_id!r} belongs to config {other.id}",
        details={"config_id": other.id, "external_id": other.external_id},
    )


def _with_suffix(config: Config) -> str:
    suffix = f"-{config.id[:8]}"
    return config.name if config.name.endswith(suffix) else config.name + suffix
