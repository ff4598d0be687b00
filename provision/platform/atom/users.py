"""Atom's users and tenants: sign-in, who a token belongs to, and what one may do where."""

from __future__ import annotations

from typing import Final

from bootstrap_core.model import Status, is_uuid
from bootstrap_core.secrets import Secret
from provision.platform.atom.calls import SERVICE, Graph, Reply, RestCall
from provision.platform.atom.decoding import to_domain
from provision.platform.atom.operations import ENTITY, MY_ROLES, REFRESH, TENANT, TENANTS, ask
from provision.platform.credentials import token_user
from provision.platform.errors import (
    DomainNotFound,
    NotAMember,
    NotPermitted,
)
from provision.platform.shapes import parse
from provision.platform.types import Domain, Membership, Page, TokenPair, User

RIGHTS: Final = {
    "read": ("client_read", "channel_read"),
    "write": ("channel_create", "channel_update"),
    # Whoever makes a client, or replaces its secret, makes a key, and that takes this right.
    "manage": (
        "client_create",
        "client_update",
        "client_delete",
        "channel_create",
        "channel_update",
        "channel_delete",
    ),
    "policy.manage": ("client_connect_to_channel", "channel_connect_to_client"),
}
"""Which rights of the port an action of Atom gives whose role has it on the tenant."""


class AtomUsers:
    """The ports ``Tokens``, ``Domains`` and ``Memberships``."""

    _graph: Graph

    async def issue_token(self, username: str, password: Secret) -> TokenPair:
        """Sign in; raises ``Rejected`` alike for an unknown name and a wrong password.

        There is no refresh token: an access token renews itself, as long as it is good.
        """
        call = RestCall(
            SERVICE,
            "sign in",
            "POST",
            "/auth/login",
            body={"identifier": username, "secret": password.reveal(), "kind": "password"},
            confidential=(password,),
            signs_in=True,
        )
        token = Secret(parse(await self._graph.transport.send(call)).text("token"))
        return TokenPair(token, token)

    async def refresh_token(self, refresh: Secret) -> TokenPair:
        reply = await self._graph.ask(
            refresh, "renew a token", [ask("renewed", REFRESH)], repeatable=True
        )
        token = Secret(reply["renewed"].text("token"))
        return TokenPair(token, token)

    async def view_user(self, token: Secret) -> User:
        """Return the user of a token; a scoped access token may not know its owner's name."""
        user_id = token_user(token) or await self._introspected(token)
        reply = await self._graph.ask(token, "view the user", [ask("user", ENTITY, id=user_id)])
        try:
            name = reply["user"].optional_text("name")
        except NotPermitted:
            name = ""
        return User(user_id, name, "", "user", Status.ENABLED)

    async def _introspected(self, token: Secret) -> str:
        call = RestCall(SERVICE, "view the user", "GET", "/auth/introspect", token, repeatable=True)
        return parse(await self._graph.transport.send(call)).text("entity_id")

    async def view_domain(self, token: Secret, domain_id: str) -> Domain:
        """Return a domain; raises ``NotAMember`` for a disabled or unknown one too."""
        _check_id(domain_id)
        parts = [ask("tenant", TENANT, id=domain_id)]
        reply = await self._graph.ask(token, "view the domain", parts)
        return _tenant(reply)

    async def view_membership(self, token: Secret, domain_id: str) -> Membership:
        _check_id(domain_id)
        parts = [
            ask("tenant", TENANT, id=domain_id),
            ask("roles", MY_ROLES, tenantId=domain_id),
        ]
        reply = await self._graph.ask(token, "view the domain", parts)
        domain = _tenant(reply)
        refused = reply.errors.get("roles")
        if isinstance(refused, NotPermitted):
            # Who runs the platform sees every tenant, and has no role in it.
            return Membership(domain)
        if refused:
            raise refused
        held = {
            action for role in reply.shapes["roles"].members() for action in role.texts("actions")
        }
        return Membership(
            domain, frozenset(right for action in held for right in RIGHTS.get(action, ()))
        )

    async def list_domains(self, token: Secret, offset: int, limit: int) -> Page[Domain]:
        """List the caller's domains, without disabled ones; ``limit`` is 1 to 100."""
        parts = [ask("tenants", TENANTS, limit=limit, offset=offset)]
        found = (await self._graph.ask(token, "list domains", parts))["tenants"]
        return Page(
            [to_domain(tenant) for tenant in found.items("items")],
            found.number("total"),
            offset,
            limit,
        )


def _check_id(domain_id: str) -> None:
    if not is_uuid(domain_id):
        raise DomainNotFound(f"there is no domain with the ID {domain_id!r}")


def _tenant(reply: Reply) -> Domain:
    try:
        return to_domain(reply["tenant"])
    except NotPermitted as error:
        # Atom says the same of an unknown tenant, and of one that is disabled.
        raise NotAMember(service=SERVICE, operation=error.operation) from error
