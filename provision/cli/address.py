"""Where the service is reached."""

from __future__ import annotations

from provision.settings import Settings


def address(settings: Settings, port: int) -> str:
    """Return the address under which the service is reached."""
    if settings.public_url:
        return settings.public_url.rstrip("/")
    scheme = "https" if settings.server_cert else "http"
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.host, settings.host)  # noqa: S104
    return f"{scheme}://{host}:{port}"
