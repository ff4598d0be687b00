"""Bindings in their table, and the sealing of their secrets."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bootstrap_core.model import Binding, BindingSlot, Resource, ResourceType
from bootstrap_core.secrets import MASK, Sealer, Secret
from bootstrap_core.store.tables import bindings


async def of_config(connection: AsyncConnection, config_id: str) -> Sequence[Binding]:
    """Return a config's bindings in the order of their slots' names."""
    query = select(bindings).where(bindings.c.config_id == config_id).order_by(bindings.c.slot)
    return [from_row(row) for row in (await connection.execute(query)).mappings()]


async def of_configs(
    connection: AsyncConnection, config_ids: Sequence[str]
) -> Mapping[str, Sequence[Binding]]:
    """Return the bindings of several configs by config ID."""
    query = select(bindings).where(bindings.c.config_id.in_(config_ids)).order_by(bindings.c.slot)
    found: dict[str, list[Binding]] = {config_id: [] for config_id in config_ids}
    for row in (await connection.execute(query)).mappings():
        found[row["config_id"]].append(from_row(row))
    return found


async def put(connection: AsyncConnection, items: Sequence[Binding]) -> None:
    """Write bindings over those of the same slots; other slots stay as they are."""
    for config_id in {binding.config_id for binding in items}:
        slots = [binding.slot for binding in items if binding.config_id == config_id]
        await remove(connection, config_id, slots)
    await add(connection, items)


async def add(connection: AsyncConnection, items: Sequence[Binding]) -> None:
    """Write bindings of slots to which nothing is bound."""
    if items:
        await connection.execute(insert(bindings), [to_row(binding) for binding in items])


async def remove(connection: AsyncConnection, config_id: str, slots: Sequence[str]) -> None:
    """Delete the bindings of a config's slots of these names."""
    await connection.execute(
        delete(bindings).where(bindings.c.config_id == config_id, bindings.c.slot.in_(slots))
    )


async def remove_all(connection: AsyncConnection, config_id: str) -> None:
    """Delete a config's bindings."""
    await connection.execute(delete(bindings).where(bindings.c.config_id == config_id))


def from_row(row: RowMapping) -> Binding:
    """Read a binding from its row."""
    values = dict(row)
    values["type"] = ResourceType(values["type"])
    return Binding(**values)


def to_row(binding: Binding) -> dict[str, Any]:
    """Write a binding as its row."""
    return {
        "config_id": binding.config_id,
        "slot": binding.slot,
        "type": binding.type.value,
        "resource_id": binding.resource_id,
        "snapshot": dict(binding.snapshot),
        "sealed_secret": binding.sealed_secret,
        "updated_at": binding.updated_at,
    }


def snapshot(
    sealer: Sealer, config_id: str, slot: BindingSlot, resource: Resource, at: datetime
) -> Binding:
    """Return the binding of ``resource`` to ``slot``: its fields applied, its secrets sealed."""
    secrets = {key: value.reveal() for key, value in _kept(slot, resource.secret).items()}
    return Binding(
        config_id=config_id,
        slot=slot.name,
        type=resource.type,
        resource_id=resource.id,
        snapshot=_kept(slot, resource.snapshot),
        sealed_secret=seal_secrets(sealer, config_id, slot.name, secrets),
        updated_at=at,
    )


def seal_secrets(sealer: Sealer, config_id: str, slot: str, secrets: Mapping[str, Any]) -> str:
    """Return the sealed JSON object of a binding's secrets; empty when there are none."""
    if not secrets:
        return ""
    return sealer.seal(json.dumps(secrets).encode(), binding_place(config_id, slot))


def open_secrets(sealer: Sealer, config_id: str, slot: str, sealed: str) -> dict[str, Any] | None:
    """Return a binding's secrets in clear; None when there are none.

    Raises ``SealedValueUnreadable``: not our key, or altered, or moved.
    """
    if not sealed:
        return None
    secrets: dict[str, Any] = json.loads(sealer.open(sealed, binding_place(config_id, slot)))
    return secrets


def binding_place(config_id: str, slot: str) -> str:
    """Name the place of a binding's secrets, to which they are sealed."""
    return f"bindings/{config_id}/{slot}"


def client_key_place(config_id: str) -> str:
    """Name the place of a config's private key, to which it is sealed."""
    return f"configs/{config_id}/client_key"


def seal_client_key(sealer: Sealer, config_id: str, key: Secret) -> str:
    """Return a config's private key sealed; empty when there is none."""
    return sealer.seal(key.encode(), client_key_place(config_id)) if key else ""


def context_place(config_id: str) -> str:
    """Name the place of a config's secret variables, to which they are sealed."""
    return f"configs/{config_id}/context"


def seal_context(sealer: Sealer, config_id: str, variables: Mapping[str, Secret]) -> str:
    """Return a config's secret variables sealed; empty when there are none."""
    clear = {name: value.reveal() for name, value in variables.items()}
    return _seal_values(sealer, config_id, clear)


def _seal_values(sealer: Sealer, config_id: str, values: Mapping[str, Any]) -> str:
    if not values:
        return ""
    return sealer.seal(json.dumps(values).encode(), context_place(config_id))


def with_secrets(
    sealer: Sealer, config_id: str, context: Mapping[str, Any], sealed: str | None
) -> dict[str, Any]:
    """Return a render context with its secret variables in clear, where it has masks for them.

    Raises ``SealedValueUnreadable``.
    """
    if not sealed:
        return dict(context)
    secrets = json.loads(sealer.open(sealed, context_place(config_id)))
    masked = {name for name, value in context.items() if value == MASK}
    return {**context, **{name: value for name, value in secrets.items() if name in masked}}


def with_secrets_sealed(
    sealer: Sealer, config_id: str, context: Mapping[str, Any], sealed: str
) -> tuple[dict[str, Any], str]:
    """Return a new render context with masks for its secret variables, and these sealed.

    Which are secret is what ``sealed`` holds; a mask keeps the value that there is. Raises
    ``SealedValueUnreadable``.
    """
    held = json.loads(sealer.open(sealed, context_place(config_id)))
    kept = {
        name: held[name] if context[name] == MASK else context[name]
        for name in held
        if name in context
    }
    masked = {**context, **dict.fromkeys(kept, MASK)}
    return masked, sealed if kept == held else _seal_values(sealer, config_id, kept)


def _kept(slot: BindingSlot, values: Mapping[str, Any]) -> dict[str, Any]:
    if not slot.fields:
        return dict(values)
    return {key: value for key, value in values.items() if key in slot.fields}
