"""The onboarding put together: give it a store, a platform and a clock, and take its entrance."""

from __future__ import annotations

from datetime import timedelta

from attrs import frozen
from sqlalchemy.ext.asyncio import AsyncEngine

from bootstrap_core.enrollments import Enroller
from bootstrap_core.secrets import Sealer
from provision.layout.model import Identifiers
from provision.onboarding.attempts import Attempts, Observer
from provision.onboarding.audit import AuditTrail
from provision.onboarding.certificates.ledger import CertificateLedger
from provision.onboarding.certificates.signing import Certification, KeepKeys, make_private_keys
from provision.onboarding.clock import Chance, Clock, Timing
from provision.onboarding.config_parts import ConfigParts
from provision.onboarding.creation import Creation
from provision.onboarding.credentials import Credentials, TokenSource
from provision.onboarding.enrollment import Enrollments
from provision.onboarding.idempotency import Idempotency
from provision.onboarding.journal import Journal
from provision.onboarding.leases import Hold, Holding, LeasedAuthority, LeasedPlatform, Leases
from provision.onboarding.lists import OnboardingList
from provision.onboarding.removal import Removal
from provision.onboarding.repair import Repair, Rotation
from provision.onboarding.runner import KeyHasher, Runner
from provision.onboarding.service import Admit, MakeKeys, Onboardings
from provision.onboarding.steps import RunningSteps
from provision.onboarding.worker import PAUSE, Reconciler, Worker
from provision.platform.port import CertificateAuthority, Platform


@frozen
class Store:
    """Where rows are kept, and how: sealed, and by the core where they are the core's.

    ``admit`` refuses an external key with which the device is another domain's.
    """

    engine: AsyncEngine
    sealer: Sealer
    enroller: Enroller
    hasher: KeyHasher
    admit: Admit


@frozen
class Surroundings:
    """The platform, the service's own credentials for it, and the world's time and chance.

    ``look_every`` so many seconds work that was left behind is looked for.
    """

    platform: Platform
    authority: CertificateAuthority
    own: TokenSource | None
    observer: Observer
    clock: Clock
    chance: Chance
    identifiers: Identifiers
    timing: Timing
    make_keys: MakeKeys = make_private_keys
    keep: KeepKeys = KeepKeys.ALWAYS
    overlap: timedelta = timedelta(hours=24)
    look_every: float = PAUSE


@frozen
class Onboarding:
    """The parts that others use; start the reconciler, and stop it before closing the worker."""

    onboardings: Onboardings
    config_parts: ConfigParts
    journal: Journal
    onboarding_list: OnboardingList
    leases: Leases
    worker: Worker
    reconciler: Reconciler
    idempotency: Idempotency
    audit: AuditTrail
    running: RunningSteps


def assemble(store: Store, around: Surroundings) -> Onboarding:
    """Put the onboarding together."""
    engine, sealer, clock = store.engine, store.sealer, around.clock
    journal = Journal(engine, sealer, clock, around.identifiers.uuid)
    leases = Leases(engine, sealer, clock, around.identifiers.uuid)
    ledger = CertificateLedger(engine, clock, around.keep, around.overlap)
    enrollments = Enrollments(store.enroller, ledger, around.keep)
    running = RunningSteps(clock)
    credentials = Credentials(around.own, around.platform, clock)

    def attempts(hold: Hold) -> Attempts:
        return Attempts(
            _runner(store, around, journal, enrollments, running, hold),
            journal,
            credentials,
            around.observer,
            clock,
            around.chance,
            around.timing,
            around.identifiers,
        )

    worker = Worker(
        attempts, journal, leases, Holding(leases, clock), clock, around.timing.answer_after
    )
    onboardings = Onboardings(
        journal,
        worker,
        enrollments,
        store.hasher,
        store.admit,
        around.identifiers,
        clock,
        around.make_keys,
    )
    return Onboarding(
        onboardings,
        ConfigParts(worker, around.identifiers, clock),
        journal,
        OnboardingList(engine),
        leases,
        worker,
        Reconciler(worker, clock, around.chance, around.look_every),
        Idempotency(engine, sealer, clock, around.identifiers.uuid),
        AuditTrail(engine, clock),
        running,
    )


def _runner(
    store: Store,
    around: Surroundings,
    journal: Journal,
    enrollments: Enrollments,
    running: RunningSteps,
    hold: Hold,
) -> Runner:
    clock, timing = around.clock, around.timing
    platform = LeasedPlatform(around.platform, hold)
    authority = LeasedAuthority(around.authority, hold)
    creation = Creation(platform, clock, timing)
    certification = Certification(authority, clock, timing)
    rotation = Rotation(platform, authority)
    return Runner(
        creation,
        certification,
        Removal(platform, authority, clock, timing),
        Repair(platform, authority, creation, certification, rotation, clock),
        rotation,
        enrollments,
        journal,
        store.engine,
        store.hasher,
        clock,
        timing,
        running,
    )
