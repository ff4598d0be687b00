"""What the shell completes besides commands and options: external IDs and names of layouts.

The service is asked, briefly; where it does not answer, nothing is offered.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable
from typing import Final

import httpx
import typer

from provision.cli.client import ServiceClient, connect
from provision.errors import ProvisionError

TIMEOUT: Final = 2.0
MOST: Final = 100


def external_ids(context: typer.Context, incomplete: str) -> list[str]:
    """Return the external IDs of the domain's newest gateways that begin so."""
    return _offered(context, incomplete, _external_ids)


def layout_names(context: typer.Context, incomplete: str) -> list[str]:
    """Return the names of the served layouts that begin so."""
    return _offered(context, incomplete, _layout_names)


def _external_ids(client: ServiceClient) -> Iterable[str]:
    query: dict[str, str | int] = {"state": "done", "limit": MOST}
    page = client.ask("GET", client.in_domain("onboardings"), query=query)
    return [str(each["external_id"]) for each in page["onboardings"]]


def _layout_names(client: ServiceClient) -> Iterable[str]:
    return [str(each["name"]) for each in client.ask("GET", "/layouts")["layouts"]]


def _offered(
    context: typer.Context, incomplete: str, ask: Callable[[ServiceClient], Iterable[str]]
) -> list[str]:
    given = {
        name: str(context.params.get(name) or os.environ.get(f"PROVISION_{name.upper()}", ""))
        for name in ("url", "token", "domain")
    }
    data = str(context.params.get("data") or "")
    found: Iterable[str] = ()
    with (
        contextlib.suppress(ProvisionError, httpx.HTTPError, OSError, ValueError, KeyError),
        connect(os.environ, **given, data=data, timeout=TIMEOUT) as client,
    ):
        found = ask(client)
    return sorted({each for each in found if each.startswith(incomplete)})
