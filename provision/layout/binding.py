"""Which created resource fills a profile's slot.

A binding either names a client or channel of the layout by its key, or describes it: by the name
that it is created with, and by its metadata; the gateway client is tried first. Source of the
description: the Go service's ``[[bootstrap.bindings]]``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from provision.layout.errors import BindingError
from provision.layout.model import Binding, JsonValue
from provision.layout.plan import PlannedBinding, PlannedChannel, PlannedClient
from provision.layout.rendering import Renderer


def plan_bindings(
    renderer: Renderer, clients: Sequence[PlannedClient], channels: Sequence[PlannedChannel]
) -> tuple[PlannedBinding, ...]:
    """Return the bindings of the layout. Raises :class:`BindingError` if one finds nothing."""
    return tuple(
        PlannedBinding(
            slot=binding.slot,
            type=binding.type,
            resource_id=_resource(renderer, binding, clients, channels).id,
        )
        for binding in renderer.layout.bindings
    )


def _resource(
    renderer: Renderer,
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
    names = ", ".join(f'"{each.name}"' for each in candidates) or "none"
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
    if not binding.metadata_key:
        return True
    if binding.metadata_key not in candidate.metadata:
        return False
    value = candidate.metadata[binding.metadata_key]
    return not binding.metadata_value or _as_text(value) == binding.metadata_value


def _as_text(value: JsonValue) -> str:
    return value if isinstance(value, str) else json.dumps(value)


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
