"""Identifiers and secrets of new resources, from the system's source of randomness."""

from __future__ import annotations

import uuid

from bootstrap_core.secret import Secret


class RandomIdentifiers:
    """UUIDv4 for both: Magistrala's own secrets of clients are UUIDs too."""

    def uuid(self) -> str:
        """Return a new ID."""
        return str(uuid.uuid4())

    def secret(self) -> Secret:
        """Return a new client secret (122 random bits)."""
        return Secret(str(uuid.uuid4()))
