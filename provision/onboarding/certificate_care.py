"""The care for certificates put together: renewed on request, and in the background."""

from __future__ import annotations

from datetime import timedelta

from attrs import frozen
from sqlalchemy.ext.asyncio import AsyncEngine

from bootstrap_core.sealing import Sealer
from provision.onboarding.certificate_ledger import CertificateLedger
from provision.onboarding.certification import Certification
from provision.onboarding.clock import Clock
from provision.onboarding.gateway_certificates import GatewayCertificates
from provision.onboarding.journal import Journal
from provision.onboarding.private_keys import KeepKeys
from provision.onboarding.renewal import Renewal
from provision.onboarding.retry import Timing
from provision.onboarding.tasks import GatewayTasks
from provision.onboarding.upkeep import Observer, OwnAuthority, Upkeep
from provision.platform.port import CertificateAuthority


@frozen
class CareSettings:
    """How long keys are kept, and old certificates valid beside new ones."""

    keep: KeepKeys
    overlap: timedelta


@frozen
class CertificateCare:
    """The parts that others use; start the upkeep, and stop it before the tasks are closed."""

    ledger: CertificateLedger
    renewal: Renewal
    upkeep: Upkeep


def take_care(
    engine: AsyncEngine,
    sealer: Sealer,
    journal: Journal,
    tasks: GatewayTasks,
    authority: CertificateAuthority,
    own: OwnAuthority,
    observer: Observer,
    settings: CareSettings,
    clock: Clock,
    timing: Timing,
) -> CertificateCare:
    """Put it together: requests are for ``authority``, the upkeep is for ``own``."""
    ledger = CertificateLedger(engine, clock, settings.keep, settings.overlap)
    gateways = GatewayCertificates(engine, sealer, clock, journal, ledger, settings.keep)

    def renewal(asked: CertificateAuthority) -> Renewal:
        return Renewal(Certification(asked, clock, timing), gateways, tasks)

    upkeep = Upkeep(
        own, renewal(own.authority), gateways, ledger, observer, clock, timing.look_after
    )
    return CertificateCare(ledger, renewal(authority), upkeep)
