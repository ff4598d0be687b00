"""The upkeep of certificates in the background: renewed in time, old ones revoked, keys dropped."""

from __future__ import annotations

import asyncio
import contextlib
import random
from datetime import timedelta
from typing import Final, Protocol

import structlog
from attrs import frozen

from bootstrap_core.secret import Secret
from provision.onboarding.certificate_ledger import REVOKED, CertificateLedger, InUse, Superseded
from provision.onboarding.clock import Clock
from provision.onboarding.errors import OnboardingError
from provision.onboarding.gateway_certificates import GatewayCertificates
from provision.onboarding.renewal import Renewal
from provision.platform.errors import NotFound
from provision.platform.port import CertificateAuthority

AT_ONCE: Final = 16
TAKEN_FOR: Final = timedelta(minutes=2)
FIRST_PAUSE: Final = 15.0
LONGEST_PAUSE: Final = 3600.0


class TokenSource(Protocol):
    """The service's own credentials, as far as the authority needs any."""

    async def token(self) -> Secret:
        """Return an access token that is valid now."""
        ...


class Observer(Protocol):
    """Is told how renewals end."""

    def renewed(self, outcome: str) -> None:
        """Take note; never raises."""
        ...


@frozen
class OwnAuthority:
    """The authority as the service itself asks it, without any caller."""

    authority: CertificateAuthority
    tokens: TokenSource


class Upkeep:
    """A background task over the ledger."""

    def __init__(
        self,
        own: OwnAuthority,
        renewal: Renewal,
        gateways: GatewayCertificates,
        ledger: CertificateLedger,
        observer: Observer,
        clock: Clock,
        pause: float,
    ) -> None:
        """Look every ``pause`` seconds; ``renewal`` must be with the authority of ``own``."""
        self._own = own
        self._renewal = renewal
        self._gateways = gateways
        self._ledger = ledger
        self._observer = observer
        self._clock = clock
        self._pause = pause
        self._task: asyncio.Task[None] | None = None
        self._log = structlog.get_logger()

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._run(), name="certificate upkeep")

    async def stop(self) -> None:
        """Stop looking; what was cut short is taken up at the next start."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def round(self) -> int:
        """Do what is to be done now, a part of it if it is much; return how many were done."""
        keys = await self._ledger.fetched_keys(AT_ONCE)
        due = await self._ledger.take_due(TAKEN_FOR, AT_ONCE)
        old = await self._ledger.take_superseded(TAKEN_FOR, AT_ONCE)
        dropped = await asyncio.gather(*(self._drop(row) for row in keys))
        await asyncio.gather(
            *(self._renew(row) for row in due), *(self._revoke(each) for each in old)
        )
        return max(sum(dropped), len(due), len(old))

    async def _run(self) -> None:
        while True:
            done = 0
            try:
                done = await self.round()
            except Exception as error:
                self._log.warning("certificates can't be looked after", error=str(error))
            if done < AT_ONCE:
                await self._clock.sleep(self._pause)

    async def _renew(self, row: InUse) -> None:
        told = {"domain_id": row.domain_id, "external_id": row.external_id, "serial": row.serial}
        try:
            token = await self._own.tokens.token()
            if await self._is_revoked(token, row):
                await self._ledger.stop_renewing(row.domain_id, row.serial, REVOKED)
                return
            await self._renewal.renew(token, row)
        except Exception as error:
            longest = min(FIRST_PAUSE * 2**row.attempts, LONGEST_PAUSE)
            pause = timedelta(seconds=random.uniform(longest / 2, longest))  # noqa: S311 - jitter
            await self._ledger.postpone(row, self._clock.now() + pause, str(error))
            self._observer.renewed("failed")
            self._log.warning("certificate not renewed", error=str(error), **told)
        else:
            self._observer.renewed("renewed")
            self._log.info("certificate renewed", **told)

    async def _is_revoked(self, token: Secret, row: InUse) -> bool:
        try:
            found = await self._own.authority.view_certificate(token, row.domain_id, row.serial)
        except NotFound:
            return False
        return found.revoked

    async def _drop(self, row: InUse) -> bool:
        try:
            await self._gateways.drop_key(row)
        except OnboardingError:
            # Somebody works on the gateway: a later round comes to it again.
            return False
        return True

    async def _revoke(self, old: Superseded) -> None:
        try:
            token = await self._own.tokens.token()
            with contextlib.suppress(NotFound):
                await self._own.authority.revoke_certificate(token, old.domain_id, old.serial)
        except Exception as error:
            self._log.warning("old certificate not revoked", serial=old.serial, error=str(error))
        else:
            await self._ledger.revoked(old)
