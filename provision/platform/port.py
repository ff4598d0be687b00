"""The port to the platform: what onboarding, bootstrap, the console and the CLI ask of it.

An adapter is a ``Platform``: users and domains, ``clients`` and ``channels`` (both ``Entities``),
and the connections between them. ``tests.platform.contract`` is the suite that each adapter passes.

What an adapter promises:

- Every call carries the caller's token; the platform decides what it may do. Errors are those of
  ``provision.platform.errors``, and nothing else that the platform's wire may raise.
- A creation takes the IDs and secrets that the caller chose, and creates all or nothing. One that
  is repeated under the same IDs raises ``AlreadyExists``, never makes anything twice.
- An entity that does not exist and one that the caller may not see answer alike (``NotFound``),
  and lists show only what the caller may read. No adapter says that something is gone: that is
  proven as ``provision.onboarding.absence`` does, from lists and ``view_membership``.
- A call whose outcome is unknown raises an error with ``outcome_unknown``. It is repeated here only
  where a second one does no harm.
- Deleting an entity deletes its connections, and frees its ID.

A creation that is cut short may leave the half of an entity. With its row alone, its ID counts as
taken (``AlreadyExists``), and it is neither shown nor deleted (``NotFound``). With authorization
too, but without its roles, it is shown by its ID and by no list; deleting it marks it, and it is
``HalfDeleted`` from then on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeAlias, TypeVar

from bootstrap_core.model import EntityKind, Status
from bootstrap_core.secrets import Secret
from provision.platform.types import (
    Certificate,
    Channel,
    Client,
    Connections,
    Domain,
    EntityChange,
    EntityQuery,
    FoundPlatform,
    Membership,
    NewChannel,
    NewClient,
    NewEntity,
    Page,
    SigningRequest,
    StatusFilter,
    TokenPair,
    User,
)

Entity: TypeAlias = Client | Channel

N = TypeVar("N", bound=NewEntity, contravariant=True)
E = TypeVar("E", bound=Entity, covariant=True)


class Tokens(Protocol):
    """Sign-in: users and their tokens."""

    async def issue_token(self, username: str, password: Secret) -> TokenPair:
        """Sign in with a user name or e-mail address and a password."""
        ...

    async def refresh_token(self, refresh: Secret) -> TokenPair:
        """Exchange a refresh token for a new pair."""
        ...

    async def view_user(self, token: Secret) -> User:
        """Return the user whom the token belongs to."""
        ...


class Domains(Protocol):
    """Domains, as far as the caller is a member."""

    async def view_domain(self, token: Secret, domain_id: str) -> Domain:
        """Return a domain; this is also the check that the caller is a member of it."""
        ...

    async def list_domains(self, token: Secret, offset: int, limit: int) -> Page[Domain]:
        """List the domains that the caller is a member of."""
        ...


class Memberships(Protocol):
    """What callers may do in a domain."""

    async def view_membership(self, token: Secret, domain_id: str) -> Membership:
        """Return a domain and what the caller, a member, may do in it; one call tells both."""
        ...


class Entities(Protocol[N, E]):
    """The entities of one kind, of all domains: ``N`` is a new one, ``E`` one that is there.

    Every call that names an ID raises ``NotFound`` where the caller may not see it or may not do
    that with it. In a domain that is not there a call may also raise ``DomainNotFound``.
    """

    async def create(self, token: Secret, domain_id: str, drafts: Sequence[N]) -> Sequence[E]:
        """Create all of ``drafts`` or none, and return them in that order.

        Raises ``AlreadyExists``: an ID, or a client's secret, is taken; ``RouteTaken``: a channel's
        route is; ``NotAMember`` and ``NotPermitted``.
        """
        ...

    async def view(self, token: Secret, domain_id: str, entity_id: str) -> E:
        """Return one entity, a client with its secret. Raises ``HalfDeleted``."""
        ...

    async def list(self, token: Secret, domain_id: str, query: EntityQuery) -> Page[E]:
        """List entities, newest first, with what the caller may do with each (``actions``).

        Those that are connected to one other entity are listed with how they are
        (``connection_types``); None where the platform does not tell. To a caller who is no member
        of the domain the list is empty.
        """
        ...

    async def update(
        self, token: Secret, domain_id: str, entity_id: str, change: EntityChange
    ) -> E:
        """Replace the named fields of an entity; a disabled one is refused or ``NotFound``."""
        ...

    async def set_status(
        self, token: Secret, domain_id: str, entity_id: str, status: Status
    ) -> None:
        """Enable or disable an entity; one that is so already stays so."""
        ...

    async def delete(self, token: Secret, domain_id: str, entity_id: str) -> None:
        """Delete an entity and its connections. Raises ``HalfDeleted``."""
        ...


class Clients(Entities[NewClient, Client], Protocol):
    """The clients of all domains."""

    async def update_secret(
        self, token: Secret, domain_id: str, client_id: str, secret: Secret
    ) -> Client:
        """Replace a client's secret (``AlreadyExists`` when another one has it)."""
        ...


Channels: TypeAlias = Entities[NewChannel, Channel]


class Platform(Tokens, Domains, Memberships, Protocol):
    """The whole platform, certificates apart."""

    @property
    def clients(self) -> Clients:
        """The clients."""
        ...

    @property
    def channels(self) -> Channels:
        """The channels."""
        ...

    async def connect(self, token: Secret, domain_id: str, connections: Connections) -> None:
        """Connect the whole product or nothing (``AlreadyExists`` when any part exists).

        Raises ``NotFound``: a client or channel is not there; ``NotReady``: one end is disabled, or
        the services do not reach each other just now.
        """
        ...

    async def disconnect(self, token: Secret, domain_id: str, connections: Connections) -> None:
        """Disconnect the whole product; what is not connected is no error."""
        ...


async def find(
    entities: Entities[Any, E], token: Secret, domain_id: str, entity_id: str
) -> E | None:
    """Return an entity, whatever its status, where the platform's lists show it to the token."""
    query = EntityQuery(id=entity_id, limit=1, status=StatusFilter.ALL)
    return next(iter((await entities.list(token, domain_id, query)).items), None)


def entities_of(platform: Platform, kind: EntityKind) -> Entities[Any, Entity]:
    """Return the platform's clients or channels."""
    return platform.clients if kind == "client" else platform.channels


class CertificateAuthority(Protocol):
    """Certificates for clients; the keys are made by the caller."""

    async def sign(self, token: Secret, domain_id: str, request: SigningRequest) -> Certificate:
        """Issue a certificate for the public key of the request."""
        ...

    async def view_certificate(self, token: Secret, domain_id: str, serial: str) -> Certificate:
        """Return one certificate (``NotFound`` when the serial is unknown)."""
        ...

    async def list_certificates(
        self, token: Secret, domain_id: str, client_id: str
    ) -> Sequence[Certificate]:
        """List all certificates of a client, revoked ones too."""
        ...

    async def revoke_certificate(self, token: Secret, domain_id: str, serial: str) -> None:
        """Revoke one certificate; revoking twice is no error."""
        ...

    async def revoke_client_certificates(
        self, token: Secret, domain_id: str, client_id: str
    ) -> None:
        """Revoke every certificate of a client; none at all is no error."""
        ...

    async def chain(self) -> str:
        """Return the chain that verifies issued certificates, as PEM, issuer first."""
        ...

    async def revocation_list(self) -> bytes:
        """Return the current CRL (RFC 5280), DER encoded."""
        ...


class Presence(Protocol):
    """Looks whether the platform is where the settings say, and which one it is."""

    async def troubles(self) -> Mapping[str, str]:
        """Return what is wrong, by service, in words that name no address; nothing is right."""
        ...

    async def found(self) -> FoundPlatform:
        """Return which platform answers; raises the platform's failures."""
        ...
