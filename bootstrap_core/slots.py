"""The rules between a profile's binding slots and what is bound to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bootstrap_core.errors import Malformed, SlotUnbound
from bootstrap_core.model import BindingRequest, BindingSlot
from bootstrap_core.rendering import RenderBinding


def slot_for(slots: Sequence[BindingSlot], request: BindingRequest, place: str) -> BindingSlot:
    """Return the slot that a request is for.

    A profile without slots takes any name. Raises ``Malformed``, naming ``place`` in the body: the
    profile has no such slot, or one of another type.
    """
    if not slots:
        return BindingSlot(request.slot, request.type)
    for slot in slots:
        if slot.name == request.slot:
            if slot.type is not request.type:
                raise Malformed(
                    f"{place}.type: slot {slot.name!r} takes a {slot.type}, not a {request.type}"
                )
            return slot
    known = ", ".join(repr(slot.name) for slot in slots)
    raise Malformed(f"{place}.slot: the profile has no slot {request.slot!r}; it has {known}")


def require_bound(slots: Sequence[BindingSlot], bound: Mapping[str, RenderBinding]) -> None:
    """Check that required slots are bound, and every bound slot to its type.

    Raises ``SlotUnbound``.
    """
    for slot in slots:
        found = bound.get(slot.name)
        if found is None and slot.required:
            raise SlotUnbound(f"slot {slot.name!r} is required and nothing is bound to it")
        if found is not None and found.type != slot.type:
            raise SlotUnbound(
                f"slot {slot.name!r} takes a {slot.type} and has a {found.type}; bind it again"
            )
