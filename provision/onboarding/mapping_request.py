"""What somebody asks for who wants a gateway."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from bootstrap_core.secret import Secret
from provision.layout.model import Layout
from provision.layout.plan import Plan
from provision.onboarding.on_existing import OnExisting


@frozen
class MappingRequest:
    """A request to onboard a gateway with a layout.

    ``csrs`` are certificate requests (PEM) of devices that hold their key, by the layout's keys.
    ``plan`` is what the request would create, where that was worked out ahead.
    """

    external_id: str
    external_key: Secret
    layout: Layout
    name: str | None = None
    parameters: Mapping[str, Any] = field(factory=dict)
    on_existing: OnExisting = OnExisting.REUSE
    csrs: Mapping[str, str] = field(factory=dict)
    plan: Plan | None = None
