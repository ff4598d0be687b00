"""Users and domains of a Magistrala, and whether its services are there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from bootstrap_core.secrets import Secret
from provision.platform.errors import (
    DomainNotFound,
    NotAMember,
    NotFound,
)
from provision.platform.magistrala.calls import OF_DOMAIN, Call, Meaning, domain_path
from provision.platform.magistrala.decoding import (
    to_actions,
    to_domain,
    to_token_pair,
    to_user,
)
from provision.platform.presence import Question, ServiceCheck
from provision.platform.shapes import parse
from provision.platform.transport import Transport
from provision.platform.types import Domain, FoundPlatform, Membership, Page, TokenPair, User

SIGN_IN: Final[Meaning] = {404: NotFound}


class MagistralaUsers:
    """The ports ``Tokens`` and ``Domains`` over HTTP."""

    _transport: Transport

    async def issue_token(self, username: str, password: Secret) -> TokenPair:
        """Sign in with a user name or e-mail address and a password.

        Raises ``NotFound`` (nobody has this name) and ``Rejected`` (a wrong password).
        """
        call = Call(
            "users",
            "issue a token",
            "POST",
            "/users/tokens/issue",
            body={"username": username, "password": password.reveal()},
            meaning=SIGN_IN,
            repeatable=True,
            confidential=(password,),
        )
        return to_token_pair(parse(await self._transport.send(call)))

    async def refresh_token(self, refresh: Secret) -> TokenPair:
        """Exchange a refresh token for a new pair; the old one stays good."""
        call = Call(
            "users",
            "refresh a token",
            "POST",
            "/users/tokens/refresh",
            token=refresh,
            repeatable=True,
        )
        return to_token_pair(parse(await self._transport.send(call)))

    async def view_user(self, token: Secret) -> User:
        """Return the user whom the token belongs to."""
        call = Call("users", "view the user", "GET", "/users/profile", token, repeatable=True)
        return to_user(parse(await self._transport.send(call)))

    async def view_domain(self, token: Secret, domain_id: str) -> Domain:
        """Return a domain; raises ``NotAMember`` and ``DomainNotFound``."""
        call = Call(
            "domains",
            "view the domain",
            "GET",
            "/domains" + domain_path(domain_id),
            token,
            meaning=OF_DOMAIN,
            repeatable=True,
        )
        return to_domain(parse(await self._transport.send(call)))

    async def view_membership(self, token: Secret, domain_id: str) -> Membership:
        """Return a domain and the actions of the roles that the caller holds in it.

        Raises ``NotAMember`` and ``DomainNotFound``. Who runs the platform holds no role, which
        must not look as if there were no domain.
        """
        call = Call(
            "domains",
            "view the domain",
            "GET",
            "/domains" + domain_path(domain_id),
            token,
            query={"roles": "true"},
            meaning=OF_DOMAIN,
            repeatable=True,
        )
        try:
            shape = parse(await self._transport.send(call))
        except DomainNotFound:
            return Membership(await self.view_domain(token, domain_id))
        return Membership(to_domain(shape), to_actions(shape))

    async def list_domains(self, token: Secret, offset: int, limit: int) -> Page[Domain]:
        """List the domains that the caller is a member of; ``limit`` is 1 to 100."""
        call = Call(
            "domains",
            "list domains",
            "GET",
            "/domains",
            token,
            query={"offset": str(offset), "limit": str(limit)},
            meaning={403: NotAMember},
            repeatable=True,
        )
        page = parse(await self._transport.send(call))
        return Page(
            items=[to_domain(item) for item in page.items("domains")],
            total=page.number("total"),
            offset=page.number("offset", 0),
            limit=page.number("limit", limit),
        )


ASKED: Final = {
    "clients": "/provision/clients",
    "channels": "/provision/channels",
    "users": "/users/profile",
    "domains": "/domains",
}
"""Routes that a Magistrala has, and that refuse whoever shows no token, in its own words."""


class MagistralaPresence:
    """Looks whether each service answers like one of Magistrala's."""

    def __init__(self, transport: Transport) -> None:
        """Ask through ``transport``."""
        self._check = ServiceCheck(
            transport,
            [
                Question(
                    Call(service, "look whether it is there", "GET", path),
                    f"the {service} service",
                    f"Magistrala's {service} service",
                )
                for service, path in ASKED.items()
            ],
        )

    async def troubles(self) -> Mapping[str, str]:
        return await self._check.troubles()

    async def found(self) -> FoundPlatform:
        """Return what this adapter speaks to: it asks for nothing that would tell more."""
        return FoundPlatform("Magistrala", "0.30 or earlier")
