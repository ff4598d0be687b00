"""The embedded platform as the port has it: the same records, in the port's types and errors."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta

from attrs import evolve, frozen
from sqlalchemy.ext.asyncio import AsyncEngine

from bootstrap_core.secrets import Secret
from provision.embedded.access import AccessControl
from provision.embedded.access import Membership as Member
from provision.embedded.bodies import (
    changed_values,
    draft_channel,
    draft_client,
    list_query,
    to_channel,
    to_client,
    to_domain,
    to_user,
)
from provision.embedded.connections import ConnectionRegistry
from provision.embedded.domains import DomainRegistry
from provision.embedded.entities import ChannelRegistry, ClientRegistry
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
    Channel,
    ChannelChange,
    ChannelQuery,
    Client,
    ClientChange,
    ClientQuery,
    Connections,
    Domain,
    Membership,
    NewChannel,
    NewClient,
    Page,
    Status,
    TokenPair,
    User,
)


@frozen
class EmbeddedKeys:
    """What the platform signs and digests with; each must stay the same over restarts."""

    tokens: bytes
    secrets: bytes


class EmbeddedPlatform:
    """A ``Platform`` in this process, over a database.

    The registries (``users``, ``domains``, ``roles``, ``clients``, ``channels``, ``connections``)
    are what the HTTP routes speak to; the methods are the port's.
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
        self.clients = ClientRegistry(engine, self.access, SecretKeeper(seal, keys.secrets), now)
        self.channels = ChannelRegistry(engine, self.access, now)
        self.connections = ConnectionRegistry(engine, self.access)

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
        await self.view_client(token, domain_id, client_id)

    async def list_domains(self, token: Secret, offset: int, limit: int) -> Page[Domain]:
        """List the domains that the caller is a member of."""
        with translated("list domains"):
            page = await self.domains.page(token, ListQuery(offset=offset, limit=limit))
        return Page([to_domain(record) for record in page.items], page.total, offset, limit)

    async def home_domain(self, token: Secret) -> str:
        """Return the domain that the administrator means who names none; empty to others."""
        with translated("find the caller's domain"):
            return await self.domains.home(token)

    async def create_clients(
        self, token: Secret, domain_id: str, clients: Sequence[NewClient]
    ) -> Sequence[Client]:
        """Create all of ``clients`` or none (``AlreadyExists`` when an ID or secret is taken)."""
        drafts = [draft_client(new) for new in clients]
        with translated("create clients"):
            return [to_client(made) for made in await self.clients.create(token, domain_id, drafts)]

    async def view_client(self, token: Secret, domain_id: str, client_id: str) -> Client:
        """Return one client with its secret."""
        with translated("view client"):
            return to_client(await self.clients.view(token, domain_id, client_id))

    async def list_clients(self, token: Secret, domain_id: str, query: ClientQuery) -> Page[Client]:
        """List clients, newest first."""
        with translated("list clients"):
            page = await self.clients.page(token, domain_id, list_query(query))
            membership = await self.access.membership(token, domain_id) if page.items else None
        items = [
            evolve(to_client(record), actions=_held("client", record, membership))
            for record in page.items
        ]
        return Page(items, page.total, page.offset, page.limit)

    async def update_client(
        self, token: Secret, domain_id: str, client_id: str, change: ClientChange
    ) -> Client:
        """Replace the named fields of a client."""
        with translated("update client"):
            values = changed_values(change)
            return to_client(await self.clients.change(token, domain_id, client_id, values))

    async def update_client_secret(
        self, token: Secret, domain_id: str, client_id: str, secret: Secret
    ) -> Client:
        """Replace a client's secret."""
        with translated("update client secret"):
            return to_client(await self.clients.change_secret(token, domain_id, client_id, secret))

    async def enable_client(self, token: Secret, domain_id: str, client_id: str) -> None:
        """Enable a client; one that is enabled already stays so."""
        with translated("enable client"), suppress(StatusAssigned):
            await self.clients.change_status(token, domain_id, client_id, Status.ENABLED)

    async def disable_client(self, token: Secret, domain_id: str, client_id: str) -> None:
        """Disable a client; one that is disabled already stays so."""
        with translated("disable client"), suppress(StatusAssigned):
            await self.clients.change_status(token, domain_id, client_id, Status.DISABLED)

    async def delete_client(self, token: Secret, domain_id: str, client_id: str) -> None:
        """Delete a client and its connections (``NotFound`` when it is not there)."""
        with translated("delete client"):
            await self.clients.delete(token, domain_id, client_id)

    async def create_channels(
        self, token: Secret, domain_id: str, channels: Sequence[NewChannel]
    ) -> Sequence[Channel]:
        """Create all of ``channels`` or none (``AlreadyExists`` when an ID or route is taken)."""
        drafts = [draft_channel(new) for new in channels]
        with translated("create channels"):
            return [
                to_channel(made) for made in await self.channels.create(token, domain_id, drafts)
            ]

    async def view_channel(self, token: Secret, domain_id: str, channel_id: str) -> Channel:
        """Return one channel."""
        with translated("view channel"):
            return to_channel(await self.channels.view(token, domain_id, channel_id))

    async def list_channels(
        self, token: Secret, domain_id: str, query: ChannelQuery
    ) -> Page[Channel]:
        """List channels, newest first."""
        with translated("list channels"):
            page = await self.channels.page(token, domain_id, list_query(query))
            membership = await self.access.membership(token, domain_id) if page.items else None
        items = [
            evolve(to_channel(record), actions=_held("channel", record, membership))
            for record in page.items
        ]
        return Page(items, page.total, page.offset, page.limit)

    async def update_channel(
        self, token: Secret, domain_id: str, channel_id: str, change: ChannelChange
    ) -> Channel:
        """Replace the named fields of a channel."""
        with translated("update channel"):
            values = changed_values(change)
            return to_channel(await self.channels.change(token, domain_id, channel_id, values))

    async def enable_channel(self, token: Secret, domain_id: str, channel_id: str) -> None:
        """Enable a channel; one that is enabled already stays so."""
        with translated("enable channel"), suppress(StatusAssigned):
            await self.channels.change_status(token, domain_id, channel_id, Status.ENABLED)

    async def disable_channel(self, token: Secret, domain_id: str, channel_id: str) -> None:
        """Disable a channel; one that is disabled already stays so."""
        with translated("disable channel"), suppress(StatusAssigned):
            await self.channels.change_status(token, domain_id, channel_id, Status.DISABLED)

    async def delete_channel(self, token: Secret, domain_id: str, channel_id: str) -> None:
        """Delete a channel and its connections (``NotFound`` when it is not there)."""
        with translated("delete channel"):
            await self.channels.delete(token, domain_id, channel_id)

    async def connect(self, token: Secret, domain_id: str, connections: Connections) -> None:
        """Connect the whole product or nothing (``AlreadyExists`` when any part exists)."""
        with translated("connect"):
            await self.connections.connect(token, domain_id, connections)

    async def disconnect(self, token: Secret, domain_id: str, connections: Connections) -> None:
        """Disconnect the whole product; what is not connected is no error."""
        with translated("disconnect"):
            await self.connections.disconnect(token, domain_id, connections)


def _held(
    kind: str, record: ClientRecord | ChannelRecord, membership: Member | None
) -> frozenset[str] | None:
    """Return what a caller may do with an entity that a list shows."""
    if membership is None:
        return None
    made_it = record.stamps.created_by == membership.caller.id
    return frozenset(entity_actions(kind, ALL_ACTIONS if made_it else membership.actions))
