"""Configs of clients: a config that is named after a client, and the client's channels.

The client and the channels are bound to slots of their own, as in Mainflux's dialect, so that both
dialects deliver them. Unlike there, channels must exist, and are connected at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from attrs import evolve, frozen
from sqlalchemy.ext.asyncio import AsyncEngine

from bootstrap_core import binding_rows, config_rows
from bootstrap_core.configs import Configs, NewConfig, not_found
from bootstrap_core.documents import Document
from bootstrap_core.errors import Malformed, NotFound
from bootstrap_core.model import (
    Binding,
    BindingSlot,
    Caller,
    Config,
    Resource,
    ResourceType,
    new_id,
    new_revision,
    utc_now,
)
from bootstrap_core.ports import Resources
from bootstrap_core.sealing import Sealer
from bootstrap_core.statuses import read_status
from bootstrap_core.things import CHANNEL_SLOT, THING_SLOT


@frozen
class NewClientConfig:
    """A client's config to be created; without ``client_id`` the client is made as well."""

    config: NewConfig
    client_id: str
    channels: Sequence[str]

    @classmethod
    def read(cls, document: Document) -> NewClientConfig:
        """Read the body of a create request. Raises ``Malformed``, ``Unprocessable``."""
        status = read_status(document.values.get("status") or "", "status")
        if status is None:
            raise Malformed("status: enabled or disabled is wanted")
        return cls(
            evolve(NewConfig.read(document), status=status),
            document.text("client_id"),
            document.texts("channels"),
        )


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
        """Create a config, its client where none is named, and connect it to the channels.

        Raises ``NotFound``: there is no such client or channel; ``Conflict``: the external ID, the
        name or the client has a config already. Then nothing is left behind.
        """
        channels = await self._channels(caller, new.channels)
        client = await self._client(caller, new)
        bound = {CHANNEL_SLOT + each.id: each for each in channels} | {THING_SLOT: client}
        wanted = evolve(new.config, id=client.id, bound=bound, connected=True)
        created = False
        try:
            config = await self._configs.create(caller.domain_id, wanted)
            created = True
            for channel in channels:
                await self._resources.connect(caller, client.id, channel.id)
        except BaseException:
            if created:
                await self._configs.remove(caller.domain_id, client.id)
            if not new.client_id:
                await self._resources.delete_client(caller, client.id)
            raise
        return config

    async def change_channels(
        self, caller: Caller, config_id: str, channel_ids: Sequence[str]
    ) -> None:
        """Connect a config's client to exactly these of the channels that were chosen here.

        Channels that are bound to slots of a profile stay as they are. Raises ``NotFound``: the
        config, its client or a channel.
        """
        await self._configs.view(caller.domain_id, config_id)
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
            name = new.config.name or new.config.external_id
            return await self._resources.create_client(caller, new_id(), name)
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
