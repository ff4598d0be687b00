"""Magistrala's users and domains services: sign-in, and which domains the caller is in."""

from __future__ import annotations

from typing import Final

from bootstrap_core.secret import Secret
from provision.platform.errors import NotAMember, NotFound
from provision.platform.magistrala_call import OF_DOMAIN, Call, Meaning, domain_path
from provision.platform.magistrala_decoding import parse, to_domain, to_token_pair, to_user
from provision.platform.magistrala_transport import Transport
from provision.platform.types import Domain, Page, TokenPair, User

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
            items=[to_domain(each) for each in page.items("domains")],
            total=page.number("total"),
            offset=page.number("offset", 0),
            limit=page.number("limit", limit),
        )
