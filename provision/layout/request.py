"""What expansion is given: the request for a gateway, and where identifiers come from."""

from __future__ import annotations

from typing import Protocol

from attrs import field, frozen

from bootstrap_core.secret import Secret
from provision.layout.model import JsonObject


@frozen
class GatewayRequest:
    """The request to onboard one gateway, without its external key, which no layout may see.

    ``name`` is ``None`` when the caller gave none; ``parameters`` are the caller's, not validated.
    """

    domain_id: str
    external_id: str
    name: str | None = None
    parameters: JsonObject = field(factory=dict)


class Identifiers(Protocol):
    """Source of the identifiers and secrets of a plan."""

    def uuid(self) -> str:
        """Return a new UUIDv4 in its canonical text form."""
        ...

    def secret(self) -> Secret:
        """Return a new secret for a client."""
        ...
