"""From a layout and a request to the plan: pure, and the same for the same identifiers.

Source of what the Go service fills in (the gateway's metadata, the render context): its
``provision`` package.
"""

from __future__ import annotations

from typing import Final

from attrs import frozen

from provision.layout.binding import plan_bindings
from provision.layout.connecting import plan_connections
from provision.layout.errors import EmptyLayoutError
from provision.layout.go_json import go_json
from provision.layout.model import Client, Dialect, JsonObject, Layout
from provision.layout.naming import Naming
from provision.layout.parameters import validate_parameters
from provision.layout.plan import (
    Plan,
    PlannedCertificate,
    PlannedChannel,
    PlannedClient,
    PlannedConfig,
)
from provision.layout.rendering import Renderer
from provision.layout.request import GatewayRequest, Identifiers

_CHANNEL_FACTS: Final = {
    "control": "ctrl_channel_id",
    "data": "data_channel_id",
    "export": "export_channel_id",
}
"""Metadata of the gateway that holds the ID of the (last) channel of a type."""


def expand(layout: Layout, request: GatewayRequest, identifiers: Identifiers) -> Plan:
    """Return the plan of onboarding the request's gateway by ``layout``.

    Raises :class:`ParameterError` if the request's parameters do not fit, and
    :class:`ExpansionError` if the layout cannot be carried out for it.
    """
    parameters = validate_parameters(layout, request.parameters)
    renderer = Renderer.of(layout, request, parameters)
    _refuse_empty(renderer)
    expansion = _Expansion(
        renderer,
        Naming(renderer, request),
        request,
        client_ids={client.key: identifiers.uuid() for client in layout.clients},
        channel_ids={channel.key: identifiers.uuid() for channel in layout.channels},
    )
    channels = expansion.channels()
    clients = tuple(expansion.client(client, identifiers, channels) for client in layout.clients)
    config = expansion.config(clients, parameters)
    return Plan(
        domain_id=request.domain_id,
        external_id=request.external_id,
        name=expansion.gateway_name,
        layout=layout.name,
        layout_digest=layout.digest,
        dialect=layout.dialect,
        parameters=parameters,
        clients=clients,
        channels=channels,
        connections=plan_connections(
            layout.connections, expansion.client_ids, expansion.channel_ids
        ),
        certificates=_certificates(layout, clients),
        config=config,
        profile=layout.profile if config else None,
        bindings=plan_bindings(renderer, clients, channels) if config and layout.profile else (),
    )


def _refuse_empty(renderer: Renderer) -> None:
    layout = renderer.layout
    if not layout.clients:
        message = "the layout has no clients: nothing to onboard"
        raise renderer.error(("clients",), message, EmptyLayoutError)
    if not layout.channels and layout.dialect is not Dialect.PROVISION:
        message = "the layout has no channels, which this dialect requires"
        raise renderer.error(("channels",), message, EmptyLayoutError)


def _certificates(
    layout: Layout, clients: tuple[PlannedClient, ...]
) -> tuple[PlannedCertificate, ...]:
    return tuple(
        PlannedCertificate(
            client_id=client.id,
            ttl_seconds=layout.certificates.ttl_seconds,
            key_type=layout.certificates.key_type,
            renew=layout.certificates.renew,
        )
        for client in clients
        if client.certificate
    )


@frozen
class _Expansion:
    renderer: Renderer
    naming: Naming
    request: GatewayRequest
    client_ids: dict[str, str]
    channel_ids: dict[str, str]

    @property
    def gateway_name(self) -> str:
        """The name of the gateway client or, where there is none, of the first one."""
        layout = self.renderer.layout
        return self.naming.client(layout.gateway or layout.clients[0])

    def channels(self) -> tuple[PlannedChannel, ...]:
        """Return the channels to create."""
        gateway_name = self.gateway_name
        return tuple(
            PlannedChannel(
                key=channel.key,
                id=self.channel_ids[channel.key],
                name=self.naming.channel(channel, gateway_name),
                route=self.renderer.optional((*channel.at, "route"), channel.route),
                metadata=self.renderer.value((*channel.at, "metadata"), channel.metadata),
                tags=tuple(self.renderer.value((*channel.at, "tags"), channel.tags)),
            )
            for channel in self.renderer.layout.channels
        )

    def client(
        self, client: Client, identifiers: Identifiers, channels: tuple[PlannedChannel, ...]
    ) -> PlannedClient:
        """Return the client to create, with a new secret."""
        metadata = self.renderer.value((*client.at, "metadata"), client.metadata)
        if client.bootstrap:
            metadata |= self._gateway_facts(client, channels)
        return PlannedClient(
            key=client.key,
            id=self.client_ids[client.key],
            name=self.naming.client(client),
            identity=self.renderer.optional((*client.at, "identity"), client.identity),
            secret=identifiers.secret(),
            metadata=metadata,
            tags=tuple(self.renderer.value((*client.at, "tags"), client.tags)),
            is_gateway=client.bootstrap,
            certificate=client.certificate,
        )

    def _gateway_facts(
        self, client: Client, channels: tuple[PlannedChannel, ...]
    ) -> dict[str, str]:
        """Return the metadata that the service gives the gateway client."""
        facts = {"external_id": self.request.external_id}
        if not self.renderer.layout.bootstrap.provision:
            return facts
        facts |= {"type": "gateway", "cfg_id": self.client_ids[client.key]}
        facts |= dict.fromkeys(_CHANNEL_FACTS.values(), "")
        for channel in channels:
            kind = channel.metadata.get("type")
            if isinstance(kind, str) and kind in _CHANNEL_FACTS:
                facts[_CHANNEL_FACTS[kind]] = channel.id
        return facts

    def config(
        self, clients: tuple[PlannedClient, ...], parameters: JsonObject
    ) -> PlannedConfig | None:
        """Return the bootstrap config to create, if there is a gateway and one is wanted."""
        layout = self.renderer.layout
        gateway = next((client for client in clients if client.is_gateway), None)
        if gateway is None or not layout.bootstrap.provision:
            return None
        path = ("bootstrap", "render_context")
        nothing = layout.bootstrap.content is None and layout.dialect is Dialect.PROVISION
        return PlannedConfig(
            id=gateway.id,
            name=gateway.name,
            status=layout.bootstrap.status,
            render_context={
                **parameters,
                **self.renderer.value(path, layout.bootstrap.render_context),
                "external_id": self.request.external_id,
                "name": gateway.name,
            },
            content="" if nothing else go_json(layout.bootstrap.content),
        )
