"""Configs of clients: a config that is named after a client, and the client's channels.

The client and the channels are bound to slots of their own, as in Mainflux's dialect, so that both
dialects deliver them. Unlike there, channels must exist, and are connected at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Annotated, ClassVar

from attrs import evolve, frozen
from sqlalchemy.ext.asyncio import AsyncEngine

from bootstrap_core.bodies import NOT_SENT, SAID_TO_BE_REQUIRED, Body, Read, Wrong, described
from bootstrap_core.configs import CONFIG, Configs, NewConfig, not_found
from bootstrap_core.errors import NotFound
from bootstrap_core.model import (
    CHANNEL_SLOT,
    THING_SLOT,
    Binding,
    BindingSlot,
    Caller,
    Config,
    Resource,
    ResourceType,
    Status,
    new_client,
    new_revision,
    status_of,
    utc_now,
)
from bootstrap_core.ports import NewParts, Resources
from bootstrap_core.secrets import Sealer
from bootstrap_core.store import binding_rows, config_rows


def _enabled_or_not(value: object) -> Status:
    status = status_of(value)
    if status is None:
        raise Wrong("enabled or disabled is wanted")
    return status


@frozen
class NewClientConfig(NewConfig):
    """A client's config to be created; without ``client_id`` the client is made as well."""

    client_id: Annotated[
        str, described(description="The config's client, as in SuperMQ's releases")
    ] = ""
    channels: Annotated[
        Sequence[str], described(description="Connected when the state is set to 1")
    ] = ()

    @property
    def is_of_client(self) -> bool:
        """Whether a client or channels are named."""
        return bool(self.client_id or self.channels)


@frozen
class NewConnectedConfig(NewClientConfig):
    """A client's config to be created, whose client is connected to the channels at once."""

    body: ClassVar[Body] = Body("NewClientConfig", known=CONFIG)

    client_id: Annotated[str, described(description="The config's client; empty: one is made")] = ""
    channels: Annotated[
        Sequence[str], described(description="What the client is connected to")
    ] = ()
    status: Annotated[
        Status,
        Read(_enabled_or_not),
        described(enum=[*Status], description="Default: enabled"),
    ] = Status.ENABLED
    connected: Annotated[bool, NOT_SENT] = True


@frozen
class ConfigConnections:
    """The channels that a config's client is to be connected to."""

    body: ClassVar[Body] = Body("ConfigConnections", known=CONFIG)

    channels: Annotated[Sequence[str], SAID_TO_BE_REQUIRED] = ()


@frozen
class ClientParts:
    """A client's config with the channels that it was made with."""

    config: Config
    channels: Sequence[Binding]


class ClientConfigs:
    """Configs of clients in the caller's domain; callers have been let in already."""

    def __init__(
        self,
        engine: AsyncEngine,
        configs: Configs,
        resources: Resources,
        sealer: Sealer,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        """``configs`` keeps them; ``resources`` is the platform with the clients and channels."""
        self._engine = engine
        self._configs = configs
        self._resources = resources
        self._sealer = sealer
        self._now = now

    async def create(self, caller: Caller, new: NewClientConfig) -> Config:
        """Create a config and its client where none is named, and connect it to the channels.

        Raises ``NotFound``: there is no such client or channel; ``Conflict``: the external ID, the
        name or the client has a config already. Then nothing is left behind.
        """
        channels = await self._channels(caller, new.channels)
        client = await self._client(caller, new)
        bound = {CHANNEL_SLOT + each.id: each for each in channels} | {THING_SLOT: client}
        wanted = evolve(new, id=client.id, bound=bound)
        draft = await self._configs.draft(caller.domain_id, wanted)
        await self._configs.rehearse(draft)
        parts = NewParts(
            external_id=new.external_id,
            client_id=client.id,
            client=None if new.client_id else client,
            connected_to=[channel.id for channel in channels] if new.connected else (),
        )
        await self._resources.make(caller, parts, partial(self._configs.add, draft))
        return draft.config

    async def parts(self, configs: Sequence[Config]) -> Mapping[str, ClientParts]:
        """Return, by the config's ID, the client's channels; only for configs of clients."""
        ids = [config.id for config in configs]
        async with self._engine.connect() as connection:
            found = await binding_rows.of_configs(connection, ids)
        return {
            config.id: ClientParts(
                config, [each for each in found[config.id] if each.slot.startswith(CHANNEL_SLOT)]
            )
            for config in configs
            if any(each.slot == THING_SLOT for each in found[config.id])
        }

    async def change_channels(
        self, caller: Caller, config_id: str, channel_ids: Sequence[str], *, lazily: bool = False
    ) -> None:
        """Connect a config's client to exactly these of the channels that were chosen here.

        Channels that are bound to slots of a profile stay as they are. ``lazily``: a client whose
        state is 0 is connected when its state is set. Raises ``NotFound``: the config, its client
        or a channel.
        """
        config, _ = await self._configs.view(caller.domain_id, config_id)
        if lazily and not config.connected:
            channels = await self._channels(caller, channel_ids)
            wanted = {CHANNEL_SLOT + each.id: each for each in channels}
            await self._rebind(caller.domain_id, config_id, wanted)
            return
        channels = await self._channels(caller, channel_ids)
        wanted = {CHANNEL_SLOT + each.id: each for each in channels}
        async with self._engine.connect() as connection:
            bound = await binding_rows.of_config(connection, config_id)
        for channel in channels:
            await self._connect(caller, config_id, channel.id)
        # The bindings go last: until then a failed change can be asked for again as a whole.
        gone = _let_go(bound, wanted)
        needed = {each.resource_id for each in bound if each not in gone}
        for channel_id in sorted({each.resource_id for each in gone} - needed):
            await self._resources.disconnect(caller, config_id, channel_id)
        await self._rebind(caller.domain_id, config_id, wanted)

    async def _rebind(self, domain_id: str, config_id: str, wanted: Mapping[str, Resource]) -> None:
        at = self._now()
        async with self._engine.begin() as connection:
            config = await config_rows.find_for_update(connection, domain_id, config_id)
            if config is None:
                raise not_found(config_id)
            gone = _let_go(await binding_rows.of_config(connection, config_id), wanted)
            await binding_rows.remove(connection, config_id, [each.slot for each in gone])
            bindings = [
                binding_rows.snapshot(
                    self._sealer, config_id, BindingSlot(slot, channel.type), channel, at
                )
                for slot, channel in wanted.items()
            ]
            await binding_rows.put(connection, bindings)
            changed = evolve(config, revision=new_revision(), updated_at=at)
            await config_rows.replace(connection, changed)

    async def _connect(self, caller: Caller, client_id: str, channel_id: str) -> None:
        try:
            await self._resources.connect(caller, client_id, channel_id)
        except NotFound as error:
            raise NotFound(
                f"config {client_id} is not named after a client that you may see, so there is "
                "nothing to connect; bind channels to the slots of its profile instead"
            ) from error

    async def _client(self, caller: Caller, new: NewClientConfig) -> Resource:
        if not new.client_id:
            name = new.name or new.external_id
            return new_client(caller, name)
        try:
            return await self._resources.resolve(caller, ResourceType.CLIENT, new.client_id)
        except NotFound as error:
            raise NotFound(
                f"client_id: there is no client {new.client_id!r} that you may see; leave it "
                "empty to have one made"
            ) from error

    async def _channels(self, caller: Caller, channel_ids: Sequence[str]) -> Sequence[Resource]:
        found = []
        for channel_id in dict.fromkeys(channel_ids):
            try:
                resource = await self._resources.resolve(caller, ResourceType.CHANNEL, channel_id)
            except NotFound as error:
                raise NotFound(
                    f"channels: there is no channel {channel_id!r} that you may see; create it "
                    "on the platform first"
                ) from error
            found.append(resource)
        return found


def _let_go(bound: Sequence[Binding], wanted: Mapping[str, Resource]) -> Sequence[Binding]:
    """Return the bindings of channels that were chosen before and are not wanted any more."""
    return [
        each
        for each in bound
        if each.type is ResourceType.CHANNEL
        and each.slot == CHANNEL_SLOT + each.resource_id
        and each.slot not in wanted
    ]
