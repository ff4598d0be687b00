"""The adapter to a real Magistrala: the port ``Platform`` over its HTTP services."""

from __future__ import annotations

from provision.platform import magistrala_channels, magistrala_clients
from provision.platform.magistrala_channels import MagistralaChannels, MagistralaConnections
from provision.platform.magistrala_clients import MagistralaClients
from provision.platform.magistrala_decoding import to_channel, to_client
from provision.platform.magistrala_entities import Entities
from provision.platform.magistrala_transport import Transport
from provision.platform.magistrala_users import MagistralaUsers


class Magistrala(MagistralaUsers, MagistralaClients, MagistralaChannels, MagistralaConnections):
    """A ``Platform`` whose transport stays the caller's to close."""

    def __init__(self, transport: Transport) -> None:
        """Speak through ``transport``."""
        self._transport = transport
        self._clients = Entities(transport, "clients", to_client, magistrala_clients.TAKEN)
        self._channels = Entities(transport, "channels", to_channel, magistrala_channels.TAKEN)
