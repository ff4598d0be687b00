"""A layout as rows of a table."""

from __future__ import annotations

from collections.abc import Iterator

from provision.layout.graph import graph_of
from provision.layout.model import InlineProfile, Layout, Parameter, ProfileReference

Row = tuple[str, str, str]


def layout_rows(layout: Layout) -> Iterator[Row]:
    """Yield rows of what, key and about for each part of ``layout``."""
    yield "layout", layout.name, layout.description
    yield "dialect", layout.dialect.value, ""
    yield "digest", layout.digest[:16], ""
    for parameter in layout.parameters:
        yield "parameter", parameter.name, _parameter(parameter)
    graph = graph_of(layout)
    for kind, nodes in (("client", graph.clients), ("channel", graph.channels)):
        for node in nodes:
            yield kind, node.key, ", ".join([node.name, *node.notes])
    for edge in graph.edges:
        yield "connection", f"{edge.client} - {edge.channel}", ", ".join(edge.types)
    if any(client.certificate for client in layout.clients):
        made = layout.certificates
        yield (
            "certificates",
            made.key_type,
            f"for {made.ttl_seconds / 3600:g}h, renewed {made.renew}",
        )
    yield from _profile(layout)
    for binding in layout.bindings:
        wanted = (
            binding.resource or binding.name or f"{binding.metadata_key}={binding.metadata_value}"
        )
        yield "binding", binding.slot, f"{binding.type} {wanted}"


def _parameter(parameter: Parameter) -> str:
    parts: list[str] = [parameter.type]
    if parameter.required:
        parts.append("required")
    if parameter.default is not None:
        parts.append(f"default {parameter.default}")
    if parameter.enum:
        parts.append(f"one of {', '.join(map(str, parameter.enum))}")
    return "; ".join(
        [", ".join(parts), *([parameter.description] if parameter.description else [])]
    )


def _profile(layout: Layout) -> Iterator[Row]:
    if layout.gateway is not None and layout.bootstrap.provision:
        yield "config", layout.gateway.key, layout.bootstrap.status
    match layout.profile:
        case InlineProfile() as profile:
            slots = len(profile.binding_slots)
            yield "profile", profile.name, f"{profile.content_format}, {slots} slots"
        case ProfileReference(id=profile_id, name=name):
            yield "profile", profile_id or name, "exists in the domain"
