"""The older dialect: Mainflux's configs of things, on the same configs and bindings.

A config is named after its thing (the client of the same ID). The thing and the config's channels
are bound to slots of their own, so that delivery finds their data without asking anyone. ``state``
1 is an enabled config whose thing is connected to its channels; 0 is a disabled one.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated, ClassVar, TypeAlias

from attrs import evolve, frozen
from sqlalchemy.ext.asyncio import AsyncEngine

from bootstrap_core.bodies import Body, Check, Read, Wrong, described
from bootstrap_core.configs import CONFIG, Configs, NewConfig
from bootstrap_core.errors import NotFound
from bootstrap_core.model import (
    CHANNEL_SLOT,
    THING_SLOT,
    Binding,
    Caller,
    Config,
    Page,
    Resource,
    ResourceType,
    Status,
    channel_resource,
    is_uuid,
    new_client,
)
from bootstrap_core.ports import NewParts, Resources
from bootstrap_core.store import binding_rows
from bootstrap_core.store.config_rows import ConfigQuery


def _channel_fault(value: str) -> str:
    return "" if is_uuid(value.lower()) else f"{value!r} is not a channel's ID (a UUID is wanted)"


def _state(value: object) -> int:
    if isinstance(value, bool) or value not in (0, 1):
        raise Wrong("0 (disconnected) or 1 (connected) is wanted")
    return int(value)


ChannelID: TypeAlias = Annotated[str, Check(_channel_fault), described(format="uuid")]


@frozen
class NewThing(NewConfig):
    """A thing's config to be created; without ``thing_id`` the thing is made as well."""

    body: ClassVar[Body] = Body("NewThing", known=CONFIG)

    thing_id: str = ""
    channels: Sequence[ChannelID] = ()


@frozen
class State:
    """What a thing's state is to be: 0 (disconnected) or 1 (connected)."""

    body: ClassVar[Body] = Body("State", known=CONFIG)

    state: Annotated[int, Read(_state), described(enum=[0, 1])]


@frozen
class Thing:
    """A thing's config with its channels."""

    config: Config
    channels: Sequence[Binding]


class Things:
    """Configs of things in the caller's domain; callers have been let in already."""

    def __init__(self, engine: AsyncEngine, configs: Configs, resources: Resources) -> None:
        """``configs`` keeps them; ``resources`` is the platform with the things and channels."""
        self._engine = engine
        self._configs = configs
        self._resources = resources

    async def create(self, caller: Caller, new: NewThing) -> Config:
        """Create a config, its thing where none is named, and the channels that do not exist yet.

        Raises ``NotFound``: there is no such thing; ``Conflict``: the external ID, the name or the
        thing has a config already, or a channel's ID is taken. Then nothing is left behind.
        """
        thing = await self._thing(caller, new)
        ids = dict.fromkeys(new.channels)
        named = [await self._channel(caller, channel_id) for channel_id in ids]
        channels = [channel for channel, _ in named]
        bound = {CHANNEL_SLOT + channel.id: channel for channel in channels} | {THING_SLOT: thing}
        draft = await self._configs.draft(caller.domain_id, evolve(new, id=thing.id, bound=bound))
        await self._configs.rehearse(draft)
        parts = NewParts(
            external_id=new.external_id,
            client_id=thing.id,
            client=None if new.thing_id else thing,
            channels=[channel for channel, is_there in named if not is_there],
        )
        await self._resources.make(caller, parts, partial(self._configs.add, draft))
        return draft.config

    async def view(self, domain_id: str, thing_id: str) -> Thing:
        """Return a config with its channels. Raises ``NotFound``."""
        config, _ = await self._configs.view(domain_id, thing_id)
        return (await self._with_channels([config]))[0]

    async def list(self, query: ConfigQuery) -> Page[Thing]:
        """List configs with their channels, newest first."""
        page = await self._configs.list(query)
        return Page(await self._with_channels(page.items), page.total, page.offset, page.limit)

    async def set_state(self, caller: Caller, thing_id: str, state: int) -> None:
        """Connect the thing to its channels and enable its config, or undo both.

        Raises ``NotFound``.
        """
        thing = await self.view(caller.domain_id, thing_id)
        act = self._resources.connect if state else self._resources.disconnect
        for channel in thing.channels:
            # A channel or thing that has gone needs no connection.
            with contextlib.suppress(NotFound):
                await act(caller, thing_id, channel.resource_id)
        status = Status.ENABLED if state else Status.DISABLED
        await self._configs.set_connected(caller.domain_id, thing_id, status, connected=bool(state))

    async def _thing(self, caller: Caller, new: NewThing) -> Resource:
        if not new.thing_id:
            name = new.name or new.external_id
            return new_client(caller, name)
        try:
            return await self._resources.resolve(caller, ResourceType.CLIENT, new.thing_id)
        except NotFound as error:
            raise NotFound(
                f"thing_id: there is no thing {new.thing_id!r} that you may see; leave thing_id "
                "out to have one made"
            ) from error

    async def _channel(self, caller: Caller, channel_id: str) -> tuple[Resource, bool]:
        """Return a channel, and whether it is there already."""
        try:
            return await self._resources.resolve(caller, ResourceType.CHANNEL, channel_id), True
        except NotFound:
            domain_id = caller.domain_id
            return channel_resource(channel_id, name=channel_id, domain_id=domain_id), False

    async def _with_channels(self, configs: Sequence[Config]) -> Sequence[Thing]:
        async with self._engine.connect() as connection:
            found: Mapping[str, Sequence[Binding]] = await binding_rows.of_configs(
                connection, [config.id for config in configs]
            )
        return [
            Thing(config, [each for each in found[config.id] if each.type is ResourceType.CHANNEL])
            for config in configs
        ]
