"""The platform's resources as the bootstrap core asks for them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

from attrs import evolve, frozen

from bootstrap_core import errors as bootstrap_errors
from bootstrap_core.model import (
    Caller,
    ConnectionType,
    EntityKind,
    Resource,
    ResourceType,
    certificate_resource,
)
from bootstrap_core.ports import Keep, NewParts, settle_nothing
from provision.layout.plan import PlannedPair
from provision.onboarding.absence import Asker, Types, Visibility, connection_types
from provision.onboarding.config_parts import ConfigParts, WantedParts
from provision.onboarding.creation import all_of
from provision.onboarding.engine import Settle
from provision.onboarding.enrollment import resource_of
from provision.onboarding.leases import Lease, LeasedPlatform
from provision.onboarding.steps import SideEffects
from provision.platform.errors import (
    AlreadyExists,
    NotFound,
    NotReady,
    Overloaded,
    PlatformError,
    Rejected,
)
from provision.platform.port import CertificateAuthority, Platform, entities_of
from provision.platform.types import Connections, NewChannel, NewClient, NewEntity


@frozen
class PlatformResources:
    """``bootstrap_core.ports.Resources`` over the port to the platform.

    ``parts`` sees to it that what is made for a config is made whole.
    """

    platform: Platform
    authority: CertificateAuthority
    parts: ConfigParts

    async def resolve(self, caller: Caller, kind: ResourceType, resource_id: str) -> Resource:
        """Return the resource as it is now; a certificate is named by its serial number."""
        with _translated(f"{kind.value} {resource_id!r}"):
            match kind:
                case ResourceType.CLIENT:
                    clients = self.platform.clients
                    client = await clients.view(caller.token, caller.domain_id, resource_id)
                    return resource_of(client, client.domain_id)
                case ResourceType.CHANNEL:
                    channels = self.platform.channels
                    channel = await channels.view(caller.token, caller.domain_id, resource_id)
                    return resource_of(channel, channel.domain_id)
                case ResourceType.CERTIFICATE:
                    found = await self.authority.view_certificate(
                        caller.token, caller.domain_id, resource_id
                    )
                    return certificate_resource(
                        found.serial,
                        client_id=found.client_id,
                        certificate=found.certificate,
                        expires_at=found.expires_at,
                    )

    async def connect(self, caller: Caller, client_id: str, channel_id: str) -> None:
        """Let the client publish and subscribe on the channel, whichever it may already."""
        wanted = Connections((client_id,), (channel_id,))
        with _translated(f"client {client_id!r} or channel {channel_id!r}"):
            try:
                await self.platform.connect(caller.token, caller.domain_id, wanted)
            except NotFound as error:
                raise await self._refusal(caller, client_id, channel_id) from error
            except NotReady as error:
                refusal = await self._refusal(caller, client_id, channel_id)
                raise (refusal if isinstance(refusal, Rejected) else error) from error
            except AlreadyExists:
                # Some of it exists, and then none is made: each type alone is, or exists.
                for kind in wanted.types:
                    with contextlib.suppress(AlreadyExists):
                        await self.platform.connect(
                            caller.token, caller.domain_id, evolve(wanted, types=(kind,))
                        )

    async def disconnect(self, caller: Caller, client_id: str, channel_id: str) -> None:
        """Take the client off the channel; what is gone is not connected.

        Raises the platform's ``NotPermitted``: the caller can't see that one of them is gone.
        """
        unwanted = Connections((client_id,), (channel_id,))
        try:
            await self.platform.disconnect(caller.token, caller.domain_id, unwanted)
        except NotFound as error:
            refusal = await self._refusal(caller, client_id, channel_id)
            if not isinstance(refusal, NotFound):
                raise refusal from error

    async def _refusal(self, caller: Caller, client_id: str, channel_id: str) -> PlatformError:
        """Return what it means that these two can't be connected or disconnected."""
        visibility = Visibility(self.platform, Asker(caller.token, caller.domain_id))
        of_client = await visibility.refusal("client", client_id, "client_connect_to_channel")
        if isinstance(of_client, NotFound):
            return of_client
        of_channel = await visibility.refusal("channel", channel_id, "channel_connect_to_client")
        return of_channel if isinstance(of_channel, NotFound | Rejected) else of_client

    async def make(self, caller: Caller, parts: NewParts, keep: Keep) -> None:
        """Make what a config needs, and then ``keep`` it: all of it, or nothing."""
        wanted = await self._wanted(caller, parts)
        if wanted.is_nothing:
            await keep(settle_nothing)
            return

        async def work(lease: Lease, effects: SideEffects, settle: Settle) -> None:
            platform = LeasedPlatform(self.platform, lease)
            leased = PlatformResources(platform, self.authority, self.parts)
            drafts: dict[EntityKind, Sequence[NewEntity]] = {
                "client": wanted.clients,
                "channel": wanted.channels,
            }
            for kind, of_kind in drafts.items():
                for draft in of_kind:
                    with _noted(effects, draft.id), _translated(f"{kind} {draft.id!r}"):
                        await entities_of(platform, kind).create(
                            caller.token, caller.domain_id, [draft]
                        )
            for connection in wanted.connections:
                (client_id,), (channel_id,) = connection.client_ids, connection.channel_ids
                # A refusal may come when one type of connection is made already.
                effects.note_possible([PlannedPair(client_id, channel_id, ()).id])
                with _noted(effects):
                    await leased.connect(caller, client_id, channel_id)
            await keep(settle)

        await self.parts.make(caller, wanted, work)

    async def _wanted(self, caller: Caller, parts: NewParts) -> WantedParts:
        """Return what is to be made: connections that are there already are not."""
        clients = []
        if made := parts.client:
            secret = made.secret["secret"]
            clients = [NewClient(made.id, made.snapshot["name"], secret=secret)]
        channels = [NewChannel(channel.id, channel.snapshot["name"]) for channel in parts.channels]
        present: Sequence[Types] = [frozenset()] * len(parts.connected_to)
        if not parts.client:
            present = await all_of(
                connection_types(
                    self.platform, caller.token, caller.domain_id, parts.client_id, channel_id
                )
                for channel_id in parts.connected_to
            )
        connections = [
            Connections((parts.client_id,), (channel_id,), missing)
            for channel_id, types in zip(parts.connected_to, present, strict=True)
            if (missing := tuple(kind for kind in ConnectionType if kind not in types))
        ]
        return WantedParts(parts.external_id, clients, channels, connections)


@contextlib.contextmanager
def _noted(effects: SideEffects, *identifiers: str) -> Iterator[None]:
    """Note in the side effects what a call leaves that makes something under these IDs."""
    try:
        yield
    except Exception as error:
        effects.note_failure(error)
        # A server on the way may say "overloaded" of a request that got through.
        if getattr(error, "outcome_unknown", False) or isinstance(error, Overloaded):
            effects.note_possible(identifiers)
        raise
    effects.note_possible(identifiers)
    effects.note_created(identifiers)


@contextlib.contextmanager
def _translated(what: str) -> Iterator[None]:
    """Raise the bootstrap core's errors where its port names them."""
    try:
        yield
    except NotFound as error:
        raise bootstrap_errors.NotFound(
            f"{what}: there is none in this domain that you may see"
        ) from error
    except AlreadyExists as error:
        raise bootstrap_errors.Conflict(f"{what} exists already") from error
    except Rejected as error:
        raise bootstrap_errors.Unprocessable(f"{what}: {error.message}") from error
