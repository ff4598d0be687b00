"""Enrollments: assigning a profile to a config and binding resources to the profile's slots."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from datetime import datetime

from attrs import evolve
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from bootstrap_core import binding_rows, config_rows, configs, profile_rows, profiles
from bootstrap_core.conflicts import conflicts_named
from bootstrap_core.documents import Document
from bootstrap_core.errors import Malformed, NotFound
from bootstrap_core.model import (
    Binding,
    BindingRequest,
    BindingSlot,
    Caller,
    Config,
    Profile,
    Resource,
    ResourceType,
    new_revision,
    utc_now,
)
from bootstrap_core.ports import Resources
from bootstrap_core.profile_documents import resource_type, slot_name
from bootstrap_core.sealing import Sealer
from bootstrap_core.slots import slot_for


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


def read_bindings(document: Document) -> Sequence[BindingRequest]:
    """Read the body of a bind request. Raises ``Malformed``."""
    requests = [
        BindingRequest(
            slot=slot_name(each, "slot"),
            type=resource_type(each),
            resource_id=each.required_text("resource_id"),
        )
        for each in document.objects("bindings")
    ]
    if not requests:
        raise Malformed("bindings: at least one is wanted")
    return requests


def _slots(profile: Profile, requests: Sequence[BindingRequest]) -> Sequence[BindingSlot]:
    slots: dict[str, BindingSlot] = {}
    for index, request in enumerate(requests):
        place = f"bindings[{index}]"
        if request.slot in slots:
            raise Malformed(f"{place}.slot: slot {request.slot!r} is named twice")
        slots[request.slot] = slot_for(profile.binding_slots, request, place)
    return list(slots.values())
