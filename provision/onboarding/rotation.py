"""Puts a gateway's new secrets and certificates in force on the platform."""

from __future__ import annotations

from collections.abc import Sequence

from bootstrap_core.secret import Secret
from provision.layout.plan import Plan, PlannedClient
from provision.onboarding.creation import TRIES, all_of
from provision.onboarding.model import IssuedCertificate
from provision.onboarding.trace import Trace
from provision.platform.errors import AlreadyExists, NotFound, PlatformError
from provision.platform.port import CertificateAuthority, Clients


class Rotation:
    """The remote steps of a rotation; each may be repeated."""

    def __init__(self, clients: Clients, authority: CertificateAuthority) -> None:
        """Take what holds the secrets and what revokes certificates."""
        self._clients = clients
        self._authority = authority

    async def secrets(self, token: Secret, plan: Plan, trace: Trace) -> None:
        """Give each of the plan's clients the secret that the plan has for it."""
        await all_of(self._secret(token, plan.domain_id, each, trace) for each in plan.clients)

    async def revoke_others(
        self, token: Secret, domain_id: str, valid: Sequence[IssuedCertificate]
    ) -> None:
        """Revoke every certificate of these clients but the ``valid`` ones."""
        await all_of(self._revoke_others(token, domain_id, each) for each in valid)

    async def _secret(
        self, token: Secret, domain_id: str, client: PlannedClient, trace: Trace
    ) -> None:
        for last in (*[False] * (TRIES - 1), True):
            try:
                await self._clients.update_client_secret(token, domain_id, client.id, client.secret)
            except PlatformError as error:
                trace.failed(error)
                if not (error.outcome_unknown or isinstance(error, AlreadyExists)):
                    raise
                found = await self._clients.view_client(token, domain_id, client.id)
                if found.secret == client.secret:
                    return
                if last:
                    raise
            else:
                return

    async def _revoke_others(self, token: Secret, domain_id: str, valid: IssuedCertificate) -> None:
        listed = await self._authority.list_certificates(token, domain_id, valid.client_id)
        await all_of(
            self._revoke(token, domain_id, each.serial)
            for each in listed
            if each.serial != valid.serial and not each.revoked
        )

    async def _revoke(self, token: Secret, domain_id: str, serial: str) -> None:
        try:
            await self._authority.revoke_certificate(token, domain_id, serial)
        except NotFound:
            return
