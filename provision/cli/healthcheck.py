"""``provision healthcheck``: whether the service on this host works, as containers ask it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import httpx

from provision.cli.client import service_address
from provision.cli.output import CommandFailed
from provision.settings_reader import load

TIMEOUT: Final = 2.5
WELL: Final = ("pass", "warn")
"""With ``warn`` the platform is not to be used; to start this service again would cure nothing."""


def healthcheck(environment: Mapping[str, str], url: str, data: str) -> str:
    """Return the status that ``GET /health`` tells. Raises ``CommandFailed`` unless it is right.

    ``url`` and ``data`` name the service; empty, settings do.
    """
    settings = load(environment, {"data": data or None}).settings
    base = service_address(settings, url)
    try:
        # The certificate names the public host and not this one; nothing secret is sent.
        answer = httpx.get(f"{base}/health", timeout=TIMEOUT, verify=not settings.server_cert)
        status = str(answer.json().get("status", ""))
    except (httpx.HTTPError, ValueError, AttributeError) as error:
        raise CommandFailed(
            f"{base}/health: {error or type(error).__name__}",
            "see the service's log; --url or PROVISION_URL names another address",
        ) from error
    if answer.is_error or status not in WELL:
        raise CommandFailed(
            f"{base}/health answered {answer.status_code}, status {status!r}",
            "see the service's log; its store may not answer",
        )
    return status
