"""The platform's resources as the bootstrap core asks for them."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator

from attrs import evolve

from bootstrap_core import errors as bootstrap_errors
from bootstrap_core.model import (
    Caller,
    Resource,
    ResourceType,
    certificate_resource,
    channel_resource,
    client_resource,
)
from bootstrap_core.secret import Secret
from provision.platform.errors import AlreadyExists, NotFound, Rejected
from provision.platform.port import CertificateAuthority, Platform
from provision.platform.types import Connections, NewChannel, NewClient


class PlatformResources:
    """``bootstrap_core.ports.Resources`` over the port to the platform."""

    def __init__(self, platform: Platform, authority: CertificateAuthority) -> None:
        """Ask ``platform`` for clients and channels, ``authority`` for certificates."""
        self._platform = platform
        self._authority = authority

    async def resolve(self, caller: Caller, kind: ResourceType, resource_id: str) -> Resource:
        """Return the resource as it is now; a certificate is named by its serial number."""
        with _translated(f"{kind.value} {resource_id!r}"):
            match kind:
                case ResourceType.CLIENT:
                    client = await self._platform.view_client(
                        caller.token, caller.domain_id, resource_id
                    )
                    return client_resource(
                        client.id,
                        name=client.name,
                        domain_id=client.domain_id,
                        identity=client.identity,
                        secret=client.secret,
                    )
                case ResourceType.CHANNEL:
                    channel = await self._platform.view_channel(
                        caller.token, caller.domain_id, resource_id
                    )
                    return channel_resource(
                        channel.id,
                        name=channel.name,
                        domain_id=channel.domain_id,
                        route=channel.route,
                        metadata=channel.metadata,
                    )
                case ResourceType.CERTIFICATE:
                    found = await self._authority.view_certificate(
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
                await self._platform.connect(caller.token, caller.domain_id, wanted)
            except AlreadyExists:
                # Some of it exists, and then none is made: what is missing is not told.
                for each in wanted.types:
                    with contextlib.suppress(AlreadyExists):
                        await self._platform.connect(
                            caller.token, caller.domain_id, evolve(wanted, types=(each,))
                        )

    async def disconnect(self, caller: Caller, client_id: str, channel_id: str) -> None:
        """Take the client off the channel; what is not there is not connected."""
        with contextlib.suppress(NotFound):
            await self._platform.disconnect(
                caller.token, caller.domain_id, Connections((client_id,), (channel_id,))
            )

    async def create_client(self, caller: Caller, client_id: str, name: str) -> Resource:
        """Create a client with a new secret under the chosen ID."""
        secret = Secret(str(uuid.uuid4()))
        with _translated(f"client {client_id!r}"):
            await self._platform.create_clients(
                caller.token, caller.domain_id, [NewClient(client_id, name, secret)]
            )
        return client_resource(client_id, name=name, domain_id=caller.domain_id, secret=secret)

    async def create_channel(self, caller: Caller, channel_id: str, name: str) -> Resource:
        """Create a channel under the chosen ID."""
        with _translated(f"channel {channel_id!r}"):
            await self._platform.create_channels(
                caller.token, caller.domain_id, [NewChannel(channel_id, name)]
            )
        return channel_resource(channel_id, name=name, domain_id=caller.domain_id)

    async def delete_client(self, caller: Caller, client_id: str) -> None:
        """Delete a client; not there is no error."""
        with contextlib.suppress(NotFound):
            await self._platform.delete_client(caller.token, caller.domain_id, client_id)


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
