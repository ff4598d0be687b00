"""A client as the platform answers it, and two calls that tests make."""

from typing import Any, Final

from bootstrap_core.secrets import Secret
from provision.platform.magistrala.adapter import Magistrala
from provision.platform.types import NewClient

TOKEN: Final = Secret("a.secret.token")
DOMAIN: Final = "0b1e36e0-3f8b-4b7f-9f7c-0a7d9a5f1c11"
CLIENT: Final = "7c2f84a1-8e5e-4b53-8a43-d0d3a0d0f2b2"
OTHER: Final = "c7f62a5e-6d27-4d6b-9a40-7c1d5f9f4a33"
VIEWED: Final[dict[str, Any]] = {
    "id": CLIENT,
    "name": "gw",
    "domain_id": DOMAIN,
    "credentials": {"secret": "s"},
    "created_at": "2026-01-02T03:04:05.678901234Z",
    "updated_at": "0001-01-01T00:00:00Z",
    "status": "enabled",
}
NEW: Final = NewClient(CLIENT, "gw", secret=Secret("client-secret"))


async def view(platform: Magistrala) -> None:
    """View the client of ``VIEWED``."""
    assert (await platform.clients.view(TOKEN, DOMAIN, CLIENT)).name == "gw"


async def create(platform: Magistrala) -> None:
    """Create the client ``NEW``."""
    await platform.clients.create(TOKEN, DOMAIN, [NEW])
