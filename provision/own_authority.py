"""How the service asks a certificate authority on its own behalf, without a caller."""

from __future__ import annotations

from bootstrap_core.secret import Secret
from provision.platform.errors import InvalidToken


class NobodyAsks:
    """Lets the service itself do what it wants with its own authority (``Members``)."""

    async def check_member(self, token: Secret, domain_id: str) -> None:
        """Do nothing: there is no caller to check."""

    async def check_change(self, token: Secret, domain_id: str) -> None:
        """Do nothing: there is no caller to check."""

    async def view_client(self, token: Secret, domain_id: str, client_id: str) -> None:
        """Do nothing: the journal says whose the client is."""


class NoTokenNeeded:
    """The credentials for an authority that asks for none."""

    async def token(self) -> Secret:
        """Return an empty token."""
        return Secret("")


class NoCredentials:
    """The credentials of a service that was given none."""

    async def token(self) -> Secret:
        """Raise ``InvalidToken``, saying what to set."""
        raise InvalidToken(
            "certificates are renewed with the service's own credentials, and it has none: set "
            "MG_PROVISION_API_KEY, or MG_PROVISION_USERNAME and MG_PROVISION_PASS"
        )
