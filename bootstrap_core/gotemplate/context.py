"""The data that the bootstrap service's templates get, under the names of its Go types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from bootstrap_core.gotemplate.values import NIL_MAP, Struct, StructMap, Value

RENDER_CONTEXT: Final = "bootstrap.RenderContext"
DEVICE_CONTEXT: Final = "bootstrap.DeviceContext"
BINDING_CONTEXT: Final = "bootstrap.BindingContext"


def device_context(device_id: str = "", external_id: str = "", domain_id: str = "") -> Struct:
    """Return ``.Device``."""
    fields = {"ID": device_id, "ExternalID": external_id, "DomainID": domain_id}
    return Struct(DEVICE_CONTEXT, fields)


def binding_context(
    type_: str = "",
    resource_id: str = "",
    snapshot: Mapping[str, Value] | None = None,
    secret: Mapping[str, Value] | None = None,
) -> Struct:
    """Return one of ``.Bindings``; None for ``snapshot`` or ``secret`` is a nil map."""
    fields = {
        "Type": type_,
        "ID": resource_id,
        "Snapshot": NIL_MAP if snapshot is None else snapshot,
        "Secret": NIL_MAP if secret is None else secret,
    }
    return Struct(BINDING_CONTEXT, fields)


_NO_BINDING: Final = binding_context()


def render_context(
    device: Struct, variables: Mapping[str, Value], bindings: Mapping[str, Struct]
) -> Struct:
    """Return dot of a profile's template: ``.Device``, ``.Vars`` and ``.Bindings``."""
    fields = {
        "Device": device,
        "Vars": variables,
        "Bindings": StructMap(bindings, _NO_BINDING),
    }
    return Struct(RENDER_CONTEXT, fields)


def from_json(document: Mapping[str, Value]) -> Struct:
    """Return the render context that a JSON object describes, with Go's field names as keys."""
    device = document.get("Device") or {}
    bindings = document.get("Bindings") or {}
    return render_context(
        device_context(*(device.get(key, "") for key in ("ID", "ExternalID", "DomainID"))),
        document.get("Vars") or {},
        {
            slot: binding_context(
                binding.get("Type", ""),
                binding.get("ID", ""),
                binding.get("Snapshot"),
                binding.get("Secret"),
            )
            for slot, binding in bindings.items()
        },
    )
