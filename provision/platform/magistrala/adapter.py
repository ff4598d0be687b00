"""The adapter to a real Magistrala: the port ``Platform`` over its HTTP services."""

from __future__ import annotations

from provision.platform.magistrala import entities
from provision.platform.magistrala.decoding import to_channel, to_client
from provision.platform.magistrala.entities import (
    Entities,
    MagistralaChannels,
    MagistralaClients,
    MagistralaConnections,
)
from provision.platform.magistrala.transport import Transport
from provision.platform.magistrala.users import MagistralaUsers


class Magistrala(MagistralaUsers, MagistralaClients, MagistralaChannels, MagistralaConnections):
    """A ``Platform`` whose transport stays the caller's to close."""

    def __init__(self, transport: Transport) -> None:
        """Speak through ``transport``."""
        self._transport = transport
        self._clients = Entities(transport, "clients", to_client, entities.CLIENT_TAKEN)
        self._channels = Entities(transport, "channels", to_channel, entities.CHANNEL_TAKEN)
