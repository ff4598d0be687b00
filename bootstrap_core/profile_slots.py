"""Binding slots as they are stored and answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bootstrap_core.model import BindingSlot, ResourceType


def slots_from_json(slots: Sequence[Mapping[str, Any]]) -> tuple[BindingSlot, ...]:
    """Read stored binding slots."""
    return tuple(
        BindingSlot(
            slot["name"],
            ResourceType(slot["type"]),
            slot.get("required", False),
            tuple(slot.get("fields", ())),
        )
        for slot in slots
    )


def slot_to_json(slot: BindingSlot) -> dict[str, Any]:
    """Write a binding slot as the JSON object that is stored and answered."""
    document: dict[str, Any] = {
        "name": slot.name,
        "type": slot.type.value,
        "required": slot.required,
    }
    if slot.fields:
        document["fields"] = list(slot.fields)
    return document
