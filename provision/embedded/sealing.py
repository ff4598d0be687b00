"""How client secrets are kept: readable again, since the platform shows them, but not in clear."""

from __future__ import annotations

import hmac
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncEngine

from bootstrap_core.secrets import Sealer, Secret
from bootstrap_core.store.reseal import reseal_column
from provision.embedded.tables import clients


class Seal(Protocol):
    """Encrypts what is stored, bound to its place (``bootstrap_core.secrets.Sealer`` is one)."""

    def seal(self, plaintext: bytes, binding: str) -> str:
        """Return ``plaintext`` sealed for the place that ``binding`` names."""
        ...

    def open(self, sealed: str, binding: str) -> bytes:
        """Return what was sealed for ``binding``."""
        ...


class SecretKeeper:
    """Seals client secrets, and digests them so that equal ones are found without opening any."""

    def __init__(self, seal: Seal, digest_key: bytes) -> None:
        """Take the seal and the key of the digests; the key must stay the same over restarts."""
        self._seal = seal
        self._digest_key = digest_key

    def keep(self, client_id: str, secret: Secret) -> str:
        """Return the sealed form of a client's secret."""
        return self._seal.seal(secret.encode(), binding_of(client_id))

    def show(self, client_id: str, sealed: str) -> Secret:
        """Return a client's secret from its sealed form."""
        return Secret(self._seal.open(sealed, binding_of(client_id)).decode())

    def digest(self, domain_id: str, secret: Secret) -> str:
        """Return 64 hex digits that are the same for the same secret in the same domain."""
        message = f"{domain_id}\n{secret.reveal()}".encode()
        return hmac.digest(self._digest_key, message, "sha256").hex()


async def reseal_client_secrets(engine: AsyncEngine, sealer: Sealer) -> int:
    """Seal the secrets of all clients with the newest key; return how many changed.

    Raises ``SealedValueUnreadable``: one is sealed with a key that is not configured.
    """
    return await reseal_column(engine, sealer, (clients.c.id,), clients.c.secret, binding_of)


def binding_of(client_id: str) -> str:
    """Return the name of the place where a client's secret is kept."""
    return f"platform_clients/{client_id}/secret"
