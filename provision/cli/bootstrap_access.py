"""What the commands of ``provision bootstrap`` share: arguments, paths, and how they answer."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from provision.cli.client import ServiceClient, connect
from provision.cli.exits import CommandFailed

Document = Annotated[str, typer.Argument(metavar="JSON", help="JSON, or @FILE that has it.")]
ConfigId = Annotated[str, typer.Argument(metavar="CONFIG_ID")]
ProfileId = Annotated[str, typer.Argument(metavar="PROFILE_ID")]
OneOrAll = Annotated[str, typer.Argument(metavar="ID|all")]
DomainId = Annotated[str, typer.Argument(metavar="DOMAIN_ID")]
UserToken = Annotated[str, typer.Argument(metavar="USER_TOKEN")]


@contextmanager
def connected(url: str, token: str, domain: str, data: str) -> Iterator[ServiceClient]:
    """Give a client of the service, as ``connect`` does; PROVISION_TOKEN is read, too."""
    token = token or os.environ.get("PROVISION_TOKEN", "")
    with connect(os.environ, url, token, domain, data) as client:
        yield client


def configs_path(client: ServiceClient, *parts: str) -> str:
    """Return the path of the domain's configs, or of one of them."""
    return client.in_domain("clients", "configs", *parts)


def profiles_path(client: ServiceClient, *parts: str) -> str:
    """Return the path of the domain's profiles, or of one of them."""
    return client.in_domain("clients", "bootstrap", "profiles", *parts)


def enrollment_path(client: ServiceClient, *parts: str) -> str:
    """Return the path of what a config is enrolled with."""
    return client.in_domain("clients", "bootstrap", "enrollments", *parts)


def taken(document: Any, *names: str) -> str:  # noqa: ANN401 - whatever JSON was given
    """Take the ID out of ``document``, whichever of ``names`` it has. Raises ``CommandFailed``."""
    found: Sequence[str] = [
        name for name in names if isinstance(document, dict) and name in document
    ]
    if not found:
        raise CommandFailed("the JSON names nothing to work on", f'add "{names[0]}" to it')
    values = [str(document.pop(name)) for name in found]
    return values[0]
