"""The port to the platform: what onboarding, bootstrap, the console and the CLI ask of it.

Every call carries the caller's token; the platform decides what it may do. Errors are those of
``provision.platform.errors``. A thing that does not exist and a thing that the caller may not see
answer alike (``NotFound``), as Magistrala does, and lists show only what the caller may read: that
something is gone is proven as ``provision.onboarding.absence`` says.

A creation that is cut short may leave the half of a thing. With its row alone, its ID counts as
taken (``AlreadyExists``), and it is neither shown nor deleted (``NotFound``). With authorization
too, but without its roles, it is shown by its ID and by no list; deleting it marks it, and it is
``HalfDeleted`` from then on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from bootstrap_core.secrets import Secret
from provision.platform.types import (
    Certificate,
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
    SigningRequest,
    TokenPair,
    User,
)


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


class Clients(Protocol):
    """Clients of a domain."""

    async def create_clients(
        self, token: Secret, domain_id: str, clients: Sequence[NewClient]
    ) -> Sequence[Client]:
        """Create all of ``clients`` or none (``AlreadyExists`` when an ID or secret is taken)."""
        ...

    async def view_client(self, token: Secret, domain_id: str, client_id: str) -> Client:
        """Return one client with its secret."""
        ...

    async def list_clients(self, token: Secret, domain_id: str, query: ClientQuery) -> Page[Client]:
        """List clients, newest first; those of a channel with how they are connected to it."""
        ...

    async def update_client(
        self, token: Secret, domain_id: str, client_id: str, change: ClientChange
    ) -> Client:
        """Replace the named fields of a client."""
        ...

    async def update_client_secret(
        self, token: Secret, domain_id: str, client_id: str, secret: Secret
    ) -> Client:
        """Replace a client's secret."""
        ...

    async def enable_client(self, token: Secret, domain_id: str, client_id: str) -> None:
        """Enable a client; one that is enabled already stays so."""
        ...

    async def disable_client(self, token: Secret, domain_id: str, client_id: str) -> None:
        """Disable a client; one that is disabled already stays so."""
        ...

    async def delete_client(self, token: Secret, domain_id: str, client_id: str) -> None:
        """Delete a client and its connections (``NotFound`` when it is not there)."""
        ...


class Channels(Protocol):
    """Channels of a domain."""

    async def create_channels(
        self, token: Secret, domain_id: str, channels: Sequence[NewChannel]
    ) -> Sequence[Channel]:
        """Create all of ``channels`` or none (``AlreadyExists`` when an ID or route is taken)."""
        ...

    async def view_channel(self, token: Secret, domain_id: str, channel_id: str) -> Channel:
        """Return one channel."""
        ...

    async def list_channels(
        self, token: Secret, domain_id: str, query: ChannelQuery
    ) -> Page[Channel]:
        """List channels, newest first."""
        ...

    async def update_channel(
        self, token: Secret, domain_id: str, channel_id: str, change: ChannelChange
    ) -> Channel:
        """Replace the named fields of a channel."""
        ...

    async def enable_channel(self, token: Secret, domain_id: str, channel_id: str) -> None:
        """Enable a channel; one that is enabled already stays so."""
        ...

    async def disable_channel(self, token: Secret, domain_id: str, channel_id: str) -> None:
        """Disable a channel; one that is disabled already stays so."""
        ...

    async def delete_channel(self, token: Secret, domain_id: str, channel_id: str) -> None:
        """Delete a channel and its connections (``NotFound`` when it is not there)."""
        ...


class ConnectionLists(Protocol):
    """Which clients may publish and subscribe on which channels."""

    async def connect(self, token: Secret, domain_id: str, connections: Connections) -> None:
        """Connect the whole product or nothing (``AlreadyExists`` when any part exists).

        Raises ``NotReady``: one end is disabled, or the services do not reach each other just now.
        """
        ...

    async def disconnect(self, token: Secret, domain_id: str, connections: Connections) -> None:
        """Disconnect the whole product; what is not connected is no error."""
        ...


class Holdings(Protocol):
    """Lists, which show what the caller may do with each thing."""

    async def list_clients(self, token: Secret, domain_id: str, query: ClientQuery) -> Page[Client]:
        """List clients, newest first."""
        ...

    async def list_channels(
        self, token: Secret, domain_id: str, query: ChannelQuery
    ) -> Page[Channel]:
        """List channels, newest first."""
        ...


class Platform(Tokens, Domains, Memberships, Clients, Channels, ConnectionLists, Protocol):
    """The whole platform, certificates apart."""


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
