"""The parts of an answer to a device, and how either dialect writes them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

from attrs import field, frozen

from bootstrap_core.model import ResourceType
from bootstrap_core.rendering import RenderBinding
from bootstrap_core.secret import Secret

# Whose shape an answer has: Magistrala's or Mainflux's. Plain text, since it is part of a key that
# is looked up at every request.
Dialect = Literal["device", "thing"]


@frozen
class Parts:
    """What an answer is made of; ``bindings`` are the opened ones, by slot."""

    config_id: str
    content: str = field(repr=False)
    client_cert: str
    client_key: Secret
    ca_cert: str
    bindings: Mapping[str, RenderBinding]


def encode(parts: Parts, dialect: Dialect) -> bytes:
    """Write the answer of Magistrala's or Mainflux's bootstrap route as JSON."""
    document: dict[str, Any] = {"id": parts.config_id}
    if dialect == "thing":
        document = {
            "thing_id": parts.config_id,
            "thing_key": _thing_key(parts),
            "channels": _channels(parts.bindings),
        }
    document |= {
        "content": parts.content,
        "client_cert": parts.client_cert,
        "client_key": parts.client_key.reveal(),
        "ca_cert": parts.ca_cert,
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def _thing_key(parts: Parts) -> str:
    """Return the secret of the client that the config is named after, when it is bound."""
    for binding in parts.bindings.values():
        if binding.type == ResourceType.CLIENT and binding.id == parts.config_id:
            return str((binding.secret or {}).get("secret", ""))
    return ""


def _channels(bindings: Mapping[str, RenderBinding]) -> list[dict[str, Any]]:
    """Return the bound channels, each once."""
    channels = {
        binding.id: {
            "id": binding.id,
            "name": (binding.snapshot or {}).get("name", ""),
            "metadata": (binding.snapshot or {}).get("metadata", {}),
        }
        for binding in bindings.values()
        if binding.type == ResourceType.CHANNEL
    }
    return list(channels.values())
