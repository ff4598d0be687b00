"""Finds the clients and channels that a request is about, to ask for rights on them."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen

from bootstrap_core.model import Caller
from provision.onboarding.errors import OnboardingNotFound
from provision.onboarding.journal import Journal
from provision.onboarding.model import Onboarding
from provision.permissions import Things
from provision.platform.errors import NotFound
from provision.platform.port import CertificateAuthority
from provision.rights import On


@frozen
class RequestSubjects:
    """``provision.permissions.Subjects`` over the journal and the certificate authority."""

    journal: Journal
    authority: CertificateAuthority

    async def things(self, caller: Caller, on: On, values: Mapping[str, str]) -> Things | None:
        """Return the things that ``values`` of the request name; None where there are none."""
        match on:
            case On.CLIENT:
                client_id = values.get("config_id") or values.get("thing_id", "")
                return Things((client_id,))
            case On.NAMED:
                return Things((values["client_id"],))
            case On.CERTIFICATE:
                return await self._certificate(caller, values["serial"])
            case On.GATEWAY:
                return _parts(await self.journal.latest(caller.domain_id, values["external_id"]))
            case On.ONBOARDING:
                return await self._onboarding(caller, values["onboarding_id"])
        return None

    async def _certificate(self, caller: Caller, serial: str) -> Things | None:
        try:
            found = await self.authority.view_certificate(caller.token, caller.domain_id, serial)
        except NotFound:
            return None
        return Things((found.client_id,))

    async def _onboarding(self, caller: Caller, onboarding_id: str) -> Things | None:
        try:
            return _parts(await self.journal.get(caller.domain_id, onboarding_id))
        except OnboardingNotFound:
            return None


def _parts(found: Onboarding | None) -> Things | None:
    if found is None:
        return None
    clients = tuple(client.id for client in found.plan.clients)
    channels = tuple(channel.id for channel in found.plan.channels)
    return Things(clients, channels, found.intent.made_by)
