"""The onboarding put together: give it a store, a platform and a clock, and take its entrance."""

from __future__ import annotations

import random
from datetime import timedelta

from attrs import frozen
from sqlalchemy.ext.asyncio import AsyncEngine

from bootstrap_core.enrollments import Enroller
from bootstrap_core.secrets import Sealer
from provision.layout.model import Identifiers
from provision.onboarding.audit import AuditTrail
from provision.onboarding.certificates.ledger import CertificateLedger
from provision.onboarding.certificates.signing import Certification, KeepKeys, make_private_keys
from provision.onboarding.clock import Clock, Timing
from provision.onboarding.config_parts import ConfigParts
from provision.onboarding.creation import Creation
from provision.onboarding.credentials import Credentials, TokenSource
from provision.onboarding.engine import LOOK_EVERY, Engine, Observer
from provision.onboarding.enrollment import PlanEnrollments
from provision.onboarding.idempotency import Idempotency
from provision.onboarding.journal import Journal
from provision.onboarding.leases import Lease, LeasedAuthority, LeasedPlatform, LeaseKeeper, Leases
from provision.onboarding.lists import OnboardingList
from provision.onboarding.removal import Removal
from provision.onboarding.repair import Repair, Rotation
from provision.onboarding.rows import RowCodec
from provision.onboarding.runner import Hasher, Runner
from provision.onboarding.service import Admit, MakeKeys, Onboardings
from provision.onboarding.steps import RunningSteps
from provision.platform.port import CertificateAuthority, Platform


@frozen
class Store:
    """Where rows are kept, and how: sealed, and by the core where they are the core's.

    ``admit`` refuses an external key with which the device is another domain's.
    """

    engine: AsyncEngine
    sealer: Sealer
    enroller: Enroller
    hasher: Hasher
    admit: Admit


@frozen
class Dependencies:
    """The platform, the service's own credentials for it, and the world's time and chance.

    ``look_every`` so many seconds work that was left behind is looked for.
    """

    platform: Platform
    authority: CertificateAuthority
    own: TokenSource | None
    observer: Observer
    clock: Clock
    random: random.Random
    identifiers: Identifiers
    timing: Timing
    make_keys: MakeKeys = make_private_keys
    keep: KeepKeys = KeepKeys.ALWAYS
    overlap: timedelta = timedelta(hours=24)
    look_every: float = LOOK_EVERY


@frozen
class Assembly:
    """The parts that others use; start the engine, and stop it before you close its jobs."""

    onboardings: Onboardings
    config_parts: ConfigParts
    journal: Journal
    onboarding_list: OnboardingList
    leases: Leases
    engine: Engine
    idempotency: Idempotency
    audit: AuditTrail
    running: RunningSteps


def assemble(store: Store, dependencies: Dependencies) -> Assembly:
    """Put the onboarding together."""
    database, sealer, clock = store.engine, store.sealer, dependencies.clock
    identifiers = dependencies.identifiers
    rows = RowCodec(sealer)
    audit = AuditTrail(database, clock)
    journal = Journal(database, rows, audit, clock, identifiers.uuid)
    leases = Leases(database, rows, clock, identifiers.uuid)
    ledger = CertificateLedger(database, clock, dependencies.keep, dependencies.overlap)
    enrollments = PlanEnrollments(store.enroller, ledger, dependencies.keep)
    running = RunningSteps(clock)

    def runner(lease: Lease) -> Runner:
        return _runner(store, dependencies, journal, enrollments, running, lease)

    engine = Engine(
        runner=runner,
        journal=journal,
        leases=leases,
        keeper=LeaseKeeper(leases, clock),
        credentials=Credentials(dependencies.own, dependencies.platform, clock),
        observer=dependencies.observer,
        clock=clock,
        random=dependencies.random,
        timing=dependencies.timing,
        identifiers=identifiers,
        look_every=dependencies.look_every,
    )
    return Assembly(
        onboardings=Onboardings(
            journal,
            engine,
            enrollments,
            store.hasher,
            store.admit,
            identifiers,
            clock,
            dependencies.make_keys,
        ),
        config_parts=ConfigParts(engine, identifiers, clock),
        journal=journal,
        onboarding_list=OnboardingList(database),
        leases=leases,
        engine=engine,
        idempotency=Idempotency(database, sealer, clock, identifiers.uuid),
        audit=audit,
        running=running,
    )


def _runner(
    store: Store,
    dependencies: Dependencies,
    journal: Journal,
    enrollments: PlanEnrollments,
    running: RunningSteps,
    lease: Lease,
) -> Runner:
    clock, timing = dependencies.clock, dependencies.timing
    platform = LeasedPlatform(dependencies.platform, lease)
    authority = LeasedAuthority(dependencies.authority, lease)
    creation = Creation(platform, clock, timing)
    certification = Certification(authority, clock, timing)
    rotation = Rotation(platform, authority)
    return Runner(
        creation=creation,
        certification=certification,
        removal=Removal(platform, authority, clock, timing),
        repairs=Repair(platform, authority, creation, certification, rotation, clock),
        rotation=rotation,
        enrollments=enrollments,
        journal=journal,
        engine=store.engine,
        hasher=store.hasher,
        clock=clock,
        timing=timing,
        running=running,
    )
