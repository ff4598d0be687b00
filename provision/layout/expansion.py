"""From a layout and a request to the plan: pure, and the same for the same identifiers.

Source of what the Go service fills in (the gateway's metadata, the render context): its
``provision`` package.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

from attrs import frozen

from bootstrap_core.gotemplate import TemplateError
from bootstrap_core.model import ConnectionType
from bootstrap_core.secrets import MASK, Secret
from provision.layout.checks import MAX_NAME
from provision.layout.errors import BindingError, EmptyLayoutError, ExpansionError
from provision.layout.model import (
    Binding,
    Channel,
    Client,
    Dialect,
    GatewayRequest,
    Identifiers,
    JsonObject,
    JsonValue,
    KeyPath,
    Layout,
    path_text,
)
from provision.layout.parameters import validate_parameters
from provision.layout.plan import (
    Plan,
    PlannedBinding,
    PlannedCertificate,
    PlannedChannel,
    PlannedClient,
    PlannedConfig,
    PlannedConnections,
)
from provision.layout.schema import templates_of
from provision.layout.templates import references, render_text


@frozen
class _Renderer:
    """Renders strings with what a request gives; its errors name the file, line and field."""

    layout: Layout
    data: JsonObject

    def text(self, path: KeyPath, template: str) -> str:
        try:
            return render_text(template, self.data)
        except TemplateError as error:
            raise self.error(path, f"template cannot be rendered: {error.message}") from error

    def part(self, part: Client | Channel) -> dict[str, JsonValue]:
        """Return the attributes of a part that are templates, but for its name."""
        return {
            name: self.value((*part.at, key), value)
            for name, key, value in templates_of(part)
            if name != "name"
        }

    def value(self, path: KeyPath, value: JsonValue) -> JsonValue:
        match value:
            case str():
                return self.text(path, value)
            case dict():
                return {key: self.value((*path, key), item) for key, item in value.items()}
            case list() | tuple():
                items = (self.value((*path, index), item) for index, item in enumerate(value))
                return type(value)(items)
        return value

    def error(
        self, path: KeyPath, message: str, kind: type[ExpansionError] = ExpansionError
    ) -> ExpansionError:
        position = self.layout.locate(path)
        return kind(
            message,
            file=position.file or self.layout.file,
            line=position.line,
            column=position.column,
            key=path_text(path),
        )


_DERIVED_LENGTH: Final = 256
"""Characters of a name that the service makes up; external IDs can be longer than names."""


def unique_name(name: str, external_id: str) -> str:
    """Return ``name`` with the external ID appended; if that is long, with a digest at its end."""
    unique = f"{name}-{external_id}" if name else external_id
    if len(unique) <= _DERIVED_LENGTH:
        return unique
    digest = hashlib.sha256(unique.encode(errors="surrogatepass")).hexdigest()[:16]
    return f"{unique[: _DERIVED_LENGTH - 17]}~{digest}"


def _bindings(
    renderer: _Renderer, clients: Sequence[PlannedClient], channels: Sequence[PlannedChannel]
) -> tuple[PlannedBinding, ...]:
    return tuple(
        PlannedBinding(
            slot=binding.slot,
            type=binding.type,
            resource_id=_resource(renderer, binding, clients, channels).id,
        )
        for binding in renderer.layout.bindings
    )


def _resource(
    renderer: _Renderer,
    binding: Binding,
    clients: Sequence[PlannedClient],
    channels: Sequence[PlannedChannel],
) -> PlannedClient | PlannedChannel:
    gateway_first = sorted(clients, key=lambda client: not client.is_gateway)
    candidates: Sequence[PlannedClient | PlannedChannel]
    match binding.type:
        case "client":
            candidates = gateway_first
        case "certificate":
            candidates = [client for client in gateway_first if client.certificate]
        case "channel":
            candidates = channels
    for candidate in candidates:
        if _fits(binding, candidate):
            return candidate
    names = ", ".join(f'"{candidate.name}"' for candidate in candidates) or "none"
    raise renderer.error(
        binding.at,
        f'slot "{binding.slot}": no {binding.type} with {_description(binding)}; created: {names}',
        BindingError,
    )


def _fits(binding: Binding, candidate: PlannedClient | PlannedChannel) -> bool:
    if binding.resource:
        return candidate.key == binding.resource
    if binding.name and candidate.name != binding.name:
        return False
    return binding.fits(candidate.metadata)


def _description(binding: Binding) -> str:
    wanted = []
    if binding.resource:
        wanted.append(f'key "{binding.resource}"')
    if binding.name:
        wanted.append(f'name "{binding.name}"')
    if binding.metadata_key:
        value = f' "{binding.metadata_value}"' if binding.metadata_value else ""
        wanted.append(f"metadata {binding.metadata_key}{value}")
    return " and ".join(wanted) or "any name"


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
    given = validate_parameters(layout, request.parameters)
    secret = {parameter.name for parameter in layout.parameters if parameter.secret}
    secrets = {name: Secret(str(value)) for name, value in given.items() if name in secret}
    parameters = {**given, **dict.fromkeys(secrets, MASK)}
    # What is rendered here is shown: a secret is for the profile's template alone.
    shown = {name: value for name, value in given.items() if name not in secrets}
    renderer = _Renderer(
        layout,
        {
            "ExternalID": request.external_id,
            "Name": request.name or request.external_id,
            "DomainID": request.domain_id,
            "Vars": shown,
        },
    )
    _refuse_empty(renderer)
    expansion = _Expansion(
        renderer,
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
        secret_parameters=secrets,
        clients=clients,
        channels=channels,
        connections=_connections(layout, expansion.client_ids, expansion.channel_ids),
        certificates=_certificates(layout, clients),
        config=config,
        profile=layout.profile if config else None,
        bindings=_bindings(renderer, clients, channels) if config and layout.profile else (),
    )


def _refuse_empty(renderer: _Renderer) -> None:
    layout = renderer.layout
    if not layout.clients:
        message = "the layout has no clients: nothing to onboard"
        raise renderer.error(("clients",), message, EmptyLayoutError)
    if not layout.channels and layout.dialect is not Dialect.PROVISION:
        message = "the layout has no channels, which this dialect requires"
        raise renderer.error(("channels",), message, EmptyLayoutError)


def _connections(
    layout: Layout, clients: Mapping[str, str], channels: Mapping[str, str]
) -> tuple[PlannedConnections, ...]:
    """Return few calls that make all connections; the mappings give IDs by key, and the order."""
    products: dict[tuple[tuple[ConnectionType, ...], tuple[str, ...]], list[str]] = {}
    for client in clients:
        reached: dict[tuple[ConnectionType, ...], list[str]] = {}
        for channel in channels:
            if types := layout.pairs.get((client, channel)):
                reached.setdefault(types, []).append(channel)
        for types, keys in reached.items():
            products.setdefault((types, tuple(keys)), []).append(client)
    return tuple(
        PlannedConnections(
            client_ids=tuple(clients[key] for key in client_keys),
            channel_ids=tuple(channels[key] for key in channel_keys),
            types=types,
        )
        for (types, channel_keys), client_keys in products.items()
    )


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
    renderer: _Renderer
    request: GatewayRequest
    client_ids: dict[str, str]
    channel_ids: dict[str, str]

    @property
    def gateway_name(self) -> str:
        """The name of the gateway client or, where there is none, of the first one."""
        layout = self.renderer.layout
        return self._client_name(layout.gateway or layout.clients[0])

    def channels(self) -> tuple[PlannedChannel, ...]:
        return tuple(
            PlannedChannel(
                key=channel.key,
                id=self.channel_ids[channel.key],
                name=self._channel_name(channel),
                **self.renderer.part(channel),
            )
            for channel in self.renderer.layout.channels
        )

    def client(
        self, client: Client, identifiers: Identifiers, channels: tuple[PlannedChannel, ...]
    ) -> PlannedClient:
        rendered = self.renderer.part(client)
        if client.bootstrap:
            rendered["metadata"] |= self._gateway_facts(client, channels)
        return PlannedClient(
            key=client.key,
            id=self.client_ids[client.key],
            name=self._client_name(client),
            secret=identifiers.secret(),
            is_gateway=client.bootstrap,
            certificate=client.certificate,
            **rendered,
        )

    def _client_name(self, client: Client) -> str:
        legacy = self.renderer.layout.dialect is not Dialect.PROVISION
        path = (*client.at, "name")
        if self.request.name and (client.bootstrap or legacy):
            return self._fitting(path, self.request.name)
        return self._unique(path, client.name)

    def _channel_name(self, channel: Channel) -> str:
        path = (*channel.at, "name")
        if self.renderer.layout.dialect is Dialect.PROVISION:
            return self._unique(path, channel.name)
        name = self.renderer.text(path, channel.name)
        return self._fitting(path, f"{self.gateway_name}_{name}")

    def _unique(self, path: KeyPath, template: str) -> str:
        name = self.renderer.text(path, template)
        if not any(
            reference.path[0] in {"ExternalID", "Name"} for reference in references(template)
        ):
            name = unique_name(name, self.request.external_id)
        return self._fitting(path, name)

    def _fitting(self, path: KeyPath, name: str) -> str:
        if len(name) > MAX_NAME:
            message = f"becomes {len(name):,} characters long; the platform allows {MAX_NAME:,}"
            raise self.renderer.error(path, message)
        return name

    def _gateway_facts(
        self, client: Client, channels: tuple[PlannedChannel, ...]
    ) -> dict[str, str]:
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


_ESCAPED: Final = str.maketrans(
    {character: f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}
)


def go_json(value: JsonValue) -> str:
    """Return ``value`` as JSON text as Go's ``encoding/json`` writes it, for the config's content.

    Keys sorted, no blanks, ``<``, ``>``, ``&`` and the line separators escaped, numbers in Go's
    form. The keys of objects are strings, numbers are finite.
    """
    match value:
        case dict():
            members = (
                f"{_json_text(key)}:{go_json(value[key])}" for key in sorted(value, key=_in_bytes)
            )
            return f"{{{','.join(members)}}}"
        case list() | tuple():
            return f"[{','.join(map(go_json, value))}]"
        case str():
            return _json_text(value)
        case float():
            return _json_number(value)
    return json.dumps(value)


def _in_bytes(key: str) -> bytes:
    return key.encode(errors="surrogatepass")


def _json_text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).translate(_ESCAPED)


def _json_number(number: float) -> str:
    """Return the shortest digits; an exponent below 1e-6 and from 1e21 on."""
    if number == 0 or 1e-6 <= abs(number) < 1e21:
        return format(Decimal(repr(number)), "f").removesuffix(".0")
    mantissa, exponent = repr(number).split("e")
    return f"{mantissa.removesuffix('.0')}e{int(exponent):+d}"
