"""What somebody asks for who wants a gateway."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from bootstrap_core.secret import Secret
from provision.layout.model import Layout
from provision.onboarding.on_existing import OnExisting


@frozen
class MappingRequest:
    """A request to onboard a gateway with a layout.

    ``csrs`` are certificate requests (PEM) of devices that hold their key, by the layout's keys.
    ``free_in`` is the domain in which no gateway had the external ID a moment ago; empty where
    nobody has looked.
    """

    external_id: str
    external_key: Secret
    layout: Layout
    name: str | None = None
    parameters: Mapping[str, Any] = field(factory=dict)
    on_existing: OnExisting = OnExisting.REUSE
    csrs: Mapping[str, str] = field(factory=dict)
    free_in: str = ""
