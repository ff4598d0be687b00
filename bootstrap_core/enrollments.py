"""Enrollments: assigning a profile to a config and binding resources to the profile's slots."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, ClassVar, Final

from attrs import evolve, field, frozen
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from bootstrap_core import configs, profiles
from bootstrap_core.bodies import GIVEN, Body, Check, described
from bootstrap_core.errors import Conflict, Malformed, NotFound
from bootstrap_core.model import (
    Binding,
    BindingRequest,
    BindingSlot,
    Caller,
    Config,
    Fetch,
    Profile,
    Resource,
    ResourceType,
    Status,
    new_revision,
    slot_for,
    utc_now,
)
from bootstrap_core.ports import Resources
from bootstrap_core.profiles import InlineProfile
from bootstrap_core.secrets import Sealer, Secret
from bootstrap_core.store import binding_rows, config_rows, fetch_rows, pair_rows, profile_rows
from bootstrap_core.store.pair_rows import Pair, PairDigests
from bootstrap_core.store.tables import conflicts_named

BINDINGS: Final = frozenset({"config_id"})
"""What other releases send with bindings."""


@frozen
class Enrollment:
    """A config as it shall be, with the resources that are bound to its profile's slots.

    ``external_key_hash`` comes from ``KeyHasher.hash``. ``name`` is a wish: should another config
    of the domain have it, the ID's first part is appended. ``status`` is a new config's; one that
    is there keeps its own. ``profile`` is one of the domain's. ``bindings`` maps slots to resources
    and is the whole set: what is bound to other slots is unbound. ``secret_context`` has the values
    of variables for which ``render_context`` has a mask.
    """

    config_id: str
    domain_id: str
    external_id: str
    external_key_hash: str = field(repr=False)
    name: str = ""
    status: Status = Status.ENABLED
    profile: Profile | None = None
    render_context: Mapping[str, Any] = field(factory=dict)
    secret_context: Mapping[str, Secret] = field(factory=dict)
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

    def __init__(
        self,
        sealer: Sealer,
        now: Callable[[], datetime] = utc_now,
        digests: PairDigests | None = None,
    ) -> None:
        """``sealer`` seals private keys and the secrets of bound resources.

        ``digests`` are those by which delivery knows pairs of external ID and key.
        """
        self._digests = digests or PairDigests()
        self._sealer = sealer
        self._now = now

    async def put_profile(
        self, connection: AsyncConnection, domain_id: str, inline: InlineProfile
    ) -> Profile:
        """Return the domain's profile for ``inline``, made or brought up to date."""
        return await profiles.put(connection, domain_id, inline, self._now())

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

    async def take_pair(
        self,
        connection: AsyncConnection,
        *,
        domain_id: str,
        external_id: str,
        external_key: Secret,
        config_id: str,
    ) -> None:
        """Have the external key open the config that was put, and no other key.

        Raises ``PairTaken``: with this key the device is another domain's.
        """
        digest = self._digests.of(external_id, external_key.encode())
        pair = Pair(digest, self._digests.key_id, external_id, domain_id, config_id)
        await pair_rows.take(connection, pair, self._now())

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

    async def remove(
        self,
        connection: AsyncConnection,
        domain_id: str,
        config_id: str,
        *,
        replaced: bool = False,
    ) -> None:
        """Delete a config with its bindings; one that is not there is no error.

        Where it is ``replaced`` by another one, its device stays the domain's.
        """
        await config_rows.remove(connection, domain_id, config_id, replaced=replaced)

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
            sealed_context=binding_rows.seal_context(
                self._sealer, enrollment.config_id, enrollment.secret_context
            ),
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
        if config.external_key_hash != existing.external_key_hash:
            await pair_rows.release(connection, config.id, replaced=True)
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


class Enrollments:
    """Profiles and resources of configs; callers have been let in already."""

    def __init__(
        self,
        engine: AsyncEngine,
        resources: Resources,
        sealer: Sealer,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        """``resources`` is the platform; ``sealer`` seals what is secret of them."""
        self._engine = engine
        self._resources = resources
        self._sealer = sealer
        self._now = now

    async def assign(self, domain_id: str, config_id: str, profile_id: str) -> None:
        """Give a config a profile. Raises ``NotFound`` for either."""
        with conflicts_named(name=""):
            async with self._engine.begin() as connection:
                config = await config_rows.find_for_update(connection, domain_id, config_id)
                if config is None:
                    raise configs.not_found(config_id)
                if await profile_rows.find(connection, domain_id, profile_id) is None:
                    raise profiles.not_found(profile_id)
                if config.profile_id != profile_id:
                    await self._touch(connection, evolve(config, profile_id=profile_id))

    async def bind(
        self, caller: Caller, config_id: str, requests: Sequence[BindingRequest]
    ) -> None:
        """Bind resources to slots, over what was bound there; other slots stay as they are.

        The client that the config is named after, where there is one, is connected to the
        channels. Raises ``Malformed``: a slot that the profile does not have, of another type, or
        named twice; ``NotFound``: config, its profile or a resource.
        """
        config, profile, _ = await self._load(caller.domain_id, config_id)
        slots = _slots(profile, requests)
        found = await self._resolve(caller, requests)
        await self._connect(caller, config, found)
        async with self._changing(config) as connection:
            await binding_rows.put(
                connection, self._snapshots(config, zip(slots, found, strict=True))
            )

    async def list(self, domain_id: str, config_id: str) -> Sequence[Binding]:
        """Return a config's bindings by slot. Raises ``NotFound``."""
        async with self._engine.connect() as connection:
            if await config_rows.find(connection, domain_id, config_id) is None:
                raise configs.not_found(config_id)
            return await binding_rows.of_config(connection, config_id)

    async def refresh(self, caller: Caller, config_id: str) -> None:
        """Read all bound resources again; what is bound anew meanwhile stays as it is then.

        Raises ``NotFound``: config, profile or a resource.
        """
        config, profile, bound = await self._load(caller.domain_id, config_id)
        requests = [BindingRequest(each.slot, each.type, each.resource_id) for each in bound]
        found = await self._resolve(caller, requests)
        declared = {slot.name: slot for slot in profile.binding_slots}
        slots = [declared.get(each.slot, BindingSlot(each.slot, each.type)) for each in requests]
        fresh = self._snapshots(config, zip(slots, found, strict=True))
        async with self._changing(config) as connection:
            present = await binding_rows.of_config(connection, config.id)
            held = {(each.slot, each.resource_id) for each in present}
            still = [each for each in fresh if (each.slot, each.resource_id) in held]
            await binding_rows.put(connection, still)

    async def _load(
        self, domain_id: str, config_id: str
    ) -> tuple[Config, Profile, Sequence[Binding]]:
        async with self._engine.connect() as connection:
            config = await config_rows.find(connection, domain_id, config_id)
            if config is None:
                raise configs.not_found(config_id)
            profile = await profile_rows.find(connection, domain_id, config.profile_id)
            if profile is None:
                raise NotFound(f"config {config_id} has no profile; assign one first")
            return config, profile, await binding_rows.of_config(connection, config_id)

    async def _resolve(
        self, caller: Caller, requests: Sequence[BindingRequest]
    ) -> Sequence[Resource]:
        async def one(index: int, request: BindingRequest) -> Resource:
            try:
                return await self._resources.resolve(caller, request.type, request.resource_id)
            except NotFound as error:
                raise NotFound(
                    f"bindings[{index}].resource_id: there is no {request.type} "
                    f"{request.resource_id!r} in this domain that you may see",
                    details={"slot": request.slot, "resource_id": request.resource_id},
                ) from error

        return await asyncio.gather(*(one(*each) for each in enumerate(requests)))

    async def _connect(self, caller: Caller, config: Config, found: Sequence[Resource]) -> None:
        channels = {each.id for each in found if each.type is ResourceType.CHANNEL}
        for channel_id in sorted(channels):
            # A config that was made by hand need not be named after a client.
            with contextlib.suppress(NotFound):
                await self._resources.connect(caller, config.id, channel_id)

    def _snapshots(
        self, config: Config, bound: Iterable[tuple[BindingSlot, Resource]]
    ) -> Sequence[Binding]:
        at = self._now()
        return [
            binding_rows.snapshot(self._sealer, config.id, slot, resource, at)
            for slot, resource in bound
        ]

    @contextlib.asynccontextmanager
    async def _changing(self, config: Config) -> AsyncIterator[AsyncConnection]:
        """Hold the config while its bindings are changed."""
        async with self._engine.begin() as connection:
            current = await config_rows.find_for_update(connection, config.domain_id, config.id)
            if current is None:
                raise configs.not_found(config.id)
            yield connection
            await self._touch(connection, current)

    async def _touch(self, connection: AsyncConnection, config: Config) -> None:
        changed = evolve(config, revision=new_revision(), updated_at=self._now())
        await config_rows.replace(connection, changed)


@frozen
class BindRequest:
    """Which resources a config's slots are bound to."""

    body: ClassVar[Body] = Body("BindRequest", known=BINDINGS)

    bindings: Annotated[
        Sequence[BindingRequest],
        Check(lambda value: "" if value else "at least one is wanted"),
        described(minItems=1),
    ]


@frozen
class ProfileAssignment:
    """Which profile a config is to have."""

    body: ClassVar[Body] = Body("ProfileAssignment", known=configs.CONFIG)

    profile_id: Annotated[str, GIVEN]


def _slots(profile: Profile, requests: Sequence[BindingRequest]) -> Sequence[BindingSlot]:
    slots: dict[str, BindingSlot] = {}
    for index, request in enumerate(requests):
        place = f"bindings[{index}]"
        if request.slot in slots:
            raise Malformed(f"{place}.slot: slot {request.slot!r} is named twice")
        slots[request.slot] = slot_for(profile.binding_slots, request, place)
    return list(slots.values())
