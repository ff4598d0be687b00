"""The layout that serves when there is no file: what the Go service has built in."""

from __future__ import annotations

from typing import Final

from provision.layout.dialects import everything_connected
from provision.layout.model import Channel, Client, Dialect, Layout

BUILTIN_NAME: Final = "default"


def builtin_layout() -> Layout:
    """Return the layout of one gateway client, a control channel and a data channel."""
    clients = (Client("client", "client", metadata={"external_id": ""}, bootstrap=True),)
    channels = (
        Channel("control-channel", "control-channel", metadata={"type": "control"}),
        Channel("data-channel", "data-channel", metadata={"type": "data"}),
    )
    return Layout(
        name=BUILTIN_NAME,
        description="One client, a control and a data channel (built in)",
        dialect=Dialect.MAGISTRALA,
        clients=clients,
        channels=channels,
        connections=everything_connected(clients, channels),
        file="(built in)",
    )
