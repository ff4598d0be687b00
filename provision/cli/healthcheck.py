"""``provision healthcheck``: whether the service on this host works, as containers ask it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import httpx
from attrs import evolve

from provision.cli.address import address
from provision.cli.exits import CommandFailed
from provision.settings_reader import load

TIMEOUT: Final = 2.5


def healthcheck(environment: Mapping[str, str], url: str) -> str:
    """Return the status that ``GET /health`` tells. Raises ``CommandFailed`` unless it is right."""
    settings = load(environment, {}).settings
    base = url.rstrip("/") or address(evolve(settings, public_url=""), settings.http_port)
    try:
        # The certificate names the public host and not this one; nothing secret is sent.
        answer = httpx.get(f"{base}/health", timeout=TIMEOUT, verify=not settings.server_cert)
        status = str(answer.json().get("status", ""))
    except (httpx.HTTPError, ValueError, AttributeError) as error:
        raise CommandFailed(
            f"{base}/health: {error or type(error).__name__}",
            "see the service's log; --url names another address",
        ) from error
    if answer.is_error or status != "pass":
        raise CommandFailed(
            f"{base}/health answered {answer.status_code}, status {status!r}",
            "see the service's log; its store may not answer",
        )
    return status
