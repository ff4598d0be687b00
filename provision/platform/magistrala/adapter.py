"""The adapter to a real Magistrala: the port ``Platform`` over its HTTP services."""

from __future__ import annotations

from provision.platform.magistrala.decoding import to_channel, to_client
from provision.platform.magistrala.entities import (
    CHANNEL_TAKEN,
    CLIENT_TAKEN,
    MagistralaClients,
    MagistralaConnections,
    MagistralaEntities,
    channel_body,
    client_body,
)
from provision.platform.magistrala.users import MagistralaUsers
from provision.platform.transport import Transport
from provision.platform.types import Channel, NewChannel


class Magistrala(MagistralaUsers, MagistralaConnections):
    """A ``Platform`` whose transport stays the caller's to close."""

    def __init__(self, transport: Transport) -> None:
        """Speak through ``transport``."""
        self._transport = transport
        self.clients = MagistralaClients(
            transport, "client", "channel", client_body, to_client, CLIENT_TAKEN
        )
        self.channels = MagistralaEntities[NewChannel, Channel](
            transport, "channel", "client", channel_body, to_channel, CHANNEL_TAKEN
        )
