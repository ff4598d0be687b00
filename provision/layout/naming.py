"""Names of clients and channels, unique per gateway.

In this project's dialect the gateway client takes the request's name; every other name is the
layout's. In the Go service's dialects all clients take the request's name, and channels are called
``<that name>_<layout's name>``; a request without a name has ``<layout's name>-<external ID>``
instead. A layout's name that mentions neither ``.ExternalID`` nor ``.Name`` gets
``-<external ID>`` appended.
"""

from __future__ import annotations

import hashlib
from typing import Final

from attrs import frozen

from provision.layout.checks import MAX_NAME
from provision.layout.model import Channel, Client, Dialect, KeyPath
from provision.layout.rendering import Renderer
from provision.layout.request import GatewayRequest
from provision.layout.templates import references

_DERIVED_LENGTH: Final = 256
"""Characters of a name that the service makes up; external IDs can be longer than names."""


@frozen
class Naming:
    """The names of one request's clients and channels."""

    renderer: Renderer
    request: GatewayRequest

    def client(self, client: Client) -> str:
        """Return the name of ``client``."""
        legacy = self.renderer.layout.dialect is not Dialect.PROVISION
        path = (*client.at, "name")
        if self.request.name and (client.bootstrap or legacy):
            return self._fitting(path, self.request.name)
        return self._fitting(path, self._layout_name(path, client.name))

    def channel(self, channel: Channel, gateway_name: str) -> str:
        """Return the name of ``channel`` of the gateway called ``gateway_name``."""
        path = (*channel.at, "name")
        if self.renderer.layout.dialect is Dialect.PROVISION:
            return self._fitting(path, self._layout_name(path, channel.name))
        return self._fitting(path, f"{gateway_name}_{self.renderer.text(path, channel.name)}")

    def _layout_name(self, path: KeyPath, template: str) -> str:
        name = self.renderer.text(path, template)
        if any(reference.path[0] in {"ExternalID", "Name"} for reference in references(template)):
            return name
        return unique_name(name, self.request.external_id)

    def _fitting(self, path: KeyPath, name: str) -> str:
        if len(name) > MAX_NAME:
            message = f"becomes {len(name):,} characters long; the platform allows {MAX_NAME:,}"
            raise self.renderer.error(path, message)
        return name


def unique_name(name: str, external_id: str) -> str:
    """Return ``name`` with the external ID appended; if that is long, with a digest at its end."""
    unique = f"{name}-{external_id}" if name else external_id
    if len(unique) <= _DERIVED_LENGTH:
        return unique
    digest = hashlib.sha256(unique.encode(errors="surrogatepass")).hexdigest()[:16]
    return f"{unique[: _DERIVED_LENGTH - 17]}~{digest}"
