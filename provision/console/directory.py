"""What the console asks of the platform where no route of this service stands before it."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeAlias

from bootstrap_core.secrets import Secret
from provision.platform.errors import DomainNotFound, NotAMember
from provision.platform.types import (
    Channel,
    ChannelQuery,
    Client,
    ClientQuery,
    Domain,
    Page,
    TokenPair,
    User,
)

HomeDomain: TypeAlias = Callable[[Secret], Awaitable[str]]
"""Tells the domain that a user enters first, where it may be; empty: any."""


class SignIns(Protocol):
    """Users and their tokens."""

    async def issue_token(self, username: str, password: Secret) -> TokenPair:
        """Sign in with a user name or e-mail address and a password."""
        ...

    async def refresh_token(self, refresh: Secret) -> TokenPair:
        """Exchange a refresh token for a new pair."""
        ...

    async def view_user(self, token: Secret) -> User:
        """Return the user whom the token belongs to."""
        ...


class DomainLists(Protocol):
    """The domains of a user."""

    async def view_domain(self, token: Secret, domain_id: str) -> Domain:
        """Return a domain that the user is a member of."""
        ...

    async def list_domains(self, token: Secret, offset: int, limit: int) -> Page[Domain]:
        """List the domains that the user is a member of."""
        ...


class Choices(Protocol):
    """What a form offers to choose from."""

    async def list_clients(self, token: Secret, domain_id: str, query: ClientQuery) -> Page[Client]:
        """List clients, newest first."""
        ...

    async def list_channels(
        self, token: Secret, domain_id: str, query: ChannelQuery
    ) -> Page[Channel]:
        """List channels, newest first."""
        ...


class Directory(SignIns, DomainLists, Choices, Protocol):
    """All of it."""


async def first_domain(directory: DomainLists, token: Secret, wanted: str) -> Domain | None:
    """Return the domain ``wanted`` where the user is a member of it, else the user's first one."""
    if wanted:
        with contextlib.suppress(NotAMember, DomainNotFound):
            return await directory.view_domain(token, wanted)
    page = await directory.list_domains(token, 0, 1)
    return next(iter(page.items), None)
