"""The embedded platform as the port has it: the same records, in the port's types and errors."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Generic, TypeVar

from attrs import asdict, evolve, frozen
from sqlalchemy.ext.asyncio import AsyncEngine

from bootstrap_core.model import EntityKind, Status
from bootstrap_core.secrets import Secret
from provision.embedded.access import AccessControl
from provision.embedded.access import Membership as Member
from provision.embedded.bodies import to_domain, to_user
from provision.embedded.connections import ConnectionRegistry
from provision.embedded.domains import DomainRegistry
from provision.embedded.entities import ChannelRegistry, ClientRegistry, EntityRegistry
from provision.embedded.errors import StatusAssigned, translated
from provision.embedded.records import (
    ALL_ACTIONS,
    ChannelRecord,
    ClientRecord,
    ListQuery,
    entity_actions,
)
from provision.embedded.roles import RoleRegistry
from provision.embedded.sealing import Seal, SecretKeeper
from provision.embedded.tokens import Clock, TokenFamilies, Tokens, utc_now
from provision.embedded.users import Passwords, UserRegistry
from provision.platform.types import (
    Connections,
    Domain,
    EntityChange,
    EntityQuery,
    Membership,
    NewChannel,
    NewClient,
    Page,
    TokenPair,
    User,
)


@frozen
class EmbeddedKeys:
    """What the platform signs and digests with; each must stay the same over restarts."""

    tokens: bytes
    secrets: bytes


N = TypeVar("N", NewClient, NewChannel)
E = TypeVar("E", ClientRecord, ChannelRecord)


@frozen
class EmbeddedEntities(Generic[N, E]):
    """The port ``Entities`` over a registry, whose records are entities of the port as well."""

    registry: EntityRegistry[N, E]
    access: AccessControl

    @property
    def kind(self) -> EntityKind:
        """The kind of entity."""
        return self.registry.kind

    async def create(self, token: Secret, domain_id: str, drafts: Sequence[N]) -> Sequence[E]:
        with translated(f"create {self.kind}s"):
            return await self.registry.create(token, domain_id, drafts)

    async def view(self, token: Secret, domain_id: str, entity_id: str) -> E:
        with translated(f"view {self.kind}"):
            return await self.registry.view(token, domain_id, entity_id)

    async def list(self, token: Secret, domain_id: str, query: EntityQuery) -> Page[E]:
        wanted = ListQuery(**asdict(query, recurse=False))
        with translated(f"list {self.kind}s"):
            page = await self.registry.page(token, domain_id, wanted)
            if not page.items:
                return page
            membership = await self.access.membership(token, domain_id)
        items = [evolve(record, actions=self._actions(record, membership)) for record in page.items]
        return evolve(page, items=items)

    def _actions(self, record: E, membership: Member) -> frozenset[str]:
        """Return what a caller may do with an entity that a list shows."""
        made_it = record.created_by == membership.caller.id
        return frozenset(entity_actions(self.kind, ALL_ACTIONS if made_it else membership.actions))

    async def update(
        self, token: Secret, domain_id: str, entity_id: str, change: EntityChange
    ) -> E:
        named = asdict(change, recurse=False, filter=lambda _, value: value is not None)
        if "tags" in named:
            named["tags"] = list(change.tags or ())
        with translated(f"update {self.kind}"):
            return await self.registry.change(token, domain_id, entity_id, named)

    async def set_status(
        self, token: Secret, domain_id: str, entity_id: str, status: Status
    ) -> None:
        verb = "enable" if status is Status.ENABLED else "disable"
        with translated(f"{verb} {self.kind}"), suppress(StatusAssigned):
            await self.registry.change_status(token, domain_id, entity_id, status)

    async def delete(self, token: Secret, domain_id: str, entity_id: str) -> None:
        with translated(f"delete {self.kind}"):
            await self.registry.delete(token, domain_id, entity_id)


@frozen
class EmbeddedClients(EmbeddedEntities[NewClient, ClientRecord]):
    """The port ``Clients`` over the registry of clients."""

    registry: ClientRegistry

    async def update_secret(
        self, token: Secret, domain_id: str, client_id: str, secret: Secret
    ) -> ClientRecord:
        with translated("update client secret"):
            return await self.registry.change_secret(token, domain_id, client_id, secret)


class EmbeddedPlatform:
    """A ``Platform`` in this process, over a database.

    The registries (``users``, ``domains``, ``roles``, ``client_registry``, ``channel_registry``,
    ``connections``) are what the HTTP routes speak to; the rest is the port's.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        keys: EmbeddedKeys,
        seal: Seal,
        passwords: Passwords,
        *,
        access_ttl: timedelta = timedelta(hours=1),
        refresh_ttl: timedelta = timedelta(hours=24),
        now: Clock = utc_now,
    ) -> None:
        """Serve the database of ``engine``, whose tables exist (``tables.metadata``).

        ``passwords`` stays the caller's to close.
        """
        tokens = Tokens(keys.tokens, access_ttl=access_ttl, refresh_ttl=refresh_ttl, now=now)
        families = TokenFamilies(engine, now, max(access_ttl, refresh_ttl))
        self.access = AccessControl(engine, tokens, families)
        self.users = UserRegistry(engine, self.access, passwords, tokens, families, now)
        self.domains = DomainRegistry(engine, self.access, now)
        self.roles = RoleRegistry(engine, self.access, now)
        secrets = SecretKeeper(seal, keys.secrets)
        self.client_registry = ClientRegistry(engine, self.access, secrets, now)
        self.channel_registry = ChannelRegistry(engine, self.access, now)
        self.connections = ConnectionRegistry(engine, self.access)
        self.clients = EmbeddedClients(registry=self.client_registry, access=self.access)
        self.channels = EmbeddedEntities(registry=self.channel_registry, access=self.access)

    async def issue_token(self, username: str, password: Secret) -> TokenPair:
        """Sign in with a user name or e-mail address and a password."""
        with translated("issue token"):
            return await self.users.sign_in(username, password)

    async def refresh_token(self, refresh: Secret) -> TokenPair:
        """Exchange a refresh token for a new pair."""
        with translated("refresh token"):
            return await self.users.refresh(refresh)

    async def view_user(self, token: Secret) -> User:
        """Return the user whom the token belongs to."""
        with translated("view user"):
            record = await self.users.profile(token)
        return to_user(record)

    async def view_domain(self, token: Secret, domain_id: str) -> Domain:
        """Return a domain; this is also the check that the caller is a member of it."""
        with translated("view domain"):
            return to_domain(await self.domains.view(token, domain_id))

    async def view_membership(self, token: Secret, domain_id: str) -> Membership:
        """Return a domain and what the caller, a member, may do in it."""
        with translated("view domain"):
            domain = to_domain(await self.domains.view(token, domain_id))
            return Membership(domain, (await self.access.membership(token, domain_id)).actions)

    async def check_member(self, token: Secret, domain_id: str) -> None:
        """Raise ``NotAMember`` or ``DomainNotFound`` unless the caller is a member."""
        with translated("check membership"):
            (await self.access.membership(token, domain_id)).require_member()

    async def check_change(self, token: Secret, domain_id: str) -> None:
        """Raise ``NotAMember`` or ``DomainNotFound`` unless the caller may change clients."""
        with translated("check membership"):
            (await self.access.membership(token, domain_id)).require("client_update")

    async def check_holder(self, token: Secret, domain_id: str, client_id: str) -> None:
        """Raise what ``check_change`` raises, or ``NotFound`` when there is no such client."""
        await self.check_change(token, domain_id)
        await self.clients.view(token, domain_id, client_id)

    async def list_domains(self, token: Secret, offset: int, limit: int) -> Page[Domain]:
        """List the domains that the caller is a member of."""
        with translated("list domains"):
            page = await self.domains.page(token, ListQuery(offset=offset, limit=limit))
        return Page([to_domain(record) for record in page.items], page.total, offset, limit)

    async def home_domain(self, token: Secret) -> str:
        """Return the domain that the administrator means who names none; empty to others."""
        with translated("find the caller's domain"):
            return await self.domains.home(token)

    async def connect(self, token: Secret, domain_id: str, connections: Connections) -> None:
        """Connect the whole product or nothing (``AlreadyExists`` when any part exists)."""
        with translated("connect"):
            await self.connections.connect(token, domain_id, connections)

    async def disconnect(self, token: Secret, domain_id: str, connections: Connections) -> None:
        """Disconnect the whole product; what is not connected is no error."""
        with translated("disconnect"):
            await self.connections.disconnect(token, domain_id, connections)
