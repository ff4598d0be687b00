"""The one place where the service is put together: settings in, an ASGI app out."""

from __future__ import annotations

import contextlib
import random
import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import httpx
from attrs import frozen
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.types import ASGIApp

from bootstrap_core.core import BootstrapCore, Options
from bootstrap_core.errors import SealingError
from bootstrap_core.sealing import Sealer
from provision.api.assembly import Part, make_app
from provision.api.certificates import CertificateRoutes
from provision.api.layouts import LayoutRoutes
from provision.api.mapping import MappingRoutes
from provision.api.onboardings import OnboardingRoutes
from provision.api.operations import OperationsRoutes
from provision.api.plans import PlanRoutes
from provision.authentication import Authentication
from provision.build_info import build_info
from provision.certificates import Certificates
from provision.data_directory import DataDirectory
from provision.database import migrate, open_engine
from provision.errors import StartError
from provision.layout.durations import parse_lifetime, parse_overlap
from provision.layout.model import DEFAULT_TTL_SECONDS
from provision.layouts_in_force import LayoutWatcher, open_catalog
from provision.metrics import Metrics, OnboardingObserver
from provision.onboarding.assembly import Store, Surroundings, assemble
from provision.onboarding.certificate_care import CareSettings, take_care
from provision.onboarding.clock import Clock, SystemClock
from provision.onboarding.identifiers import RandomIdentifiers
from provision.onboarding.model import State
from provision.onboarding.planning import Planner
from provision.onboarding.private_keys import KeepKeys
from provision.onboarding.retry import Timing
from provision.pki.errors import PkiError
from provision.platform.errors import Misconfigured
from provision.platform_choice import PlatformChoice, open_platform
from provision.resources import PlatformResources
from provision.settings import Settings
from provision.settings_reader import Loaded


@frozen
class Service:
    """The running service: its app, and the account that the embedded platform was given."""

    app: ASGIApp
    operator_file: Path | None
    operator_domain: str


@contextlib.asynccontextmanager
async def open_service(
    loaded: Loaded,
    base_url: str,
    wire: httpx.AsyncBaseTransport | None = None,
    timing: Timing | None = None,
    clock: Clock | None = None,
) -> AsyncIterator[Service]:
    """Open the store, the platform and everything in between; close all of it at the end.

    ``base_url`` is where the service is reached; ``wire``, ``timing`` and ``clock`` stand in for
    the network to a Magistrala, its habits and the time, in tests. Raises ``StartError`` and
    ``SettingsError``.
    """
    async with contextlib.AsyncExitStack() as stack:
        try:
            service = await _open(
                stack, loaded, base_url, wire, timing or Timing(), clock or SystemClock()
            )
        except (SealingError, PkiError, Misconfigured, SQLAlchemyError, OSError) as error:
            raise StartError(_reason(loaded.settings, error)) from error
        yield service


async def _open(
    stack: contextlib.AsyncExitStack,
    loaded: Loaded,
    base_url: str,
    wire: httpx.AsyncBaseTransport | None,
    timing: Timing,
    clock: Clock,
) -> Service:
    settings = loaded.settings
    data = DataDirectory(Path(settings.data))
    data.prepare()
    stack.callback(data.release)
    sealer = Sealer(data.sealing_keys(settings.sealing_keys))
    engine = open_engine(settings.database)
    stack.push_async_callback(engine.dispose)
    await migrate(engine)
    choice = await stack.enter_async_context(
        open_platform(settings, engine, sealer, data, wire, clock.now)
    )
    catalog = open_catalog(loaded)
    watcher = LayoutWatcher(catalog)
    watcher.start()
    stack.push_async_callback(watcher.stop)
    core, authentication = _bootstrap_core(settings, engine, sealer, choice)
    core.start()
    stack.push_async_callback(core.stop)
    metrics = Metrics()
    metrics.watch_layouts(catalog)
    observer = OnboardingObserver(metrics)
    keeping = CareSettings(
        KeepKeys(settings.keep_private_keys.lower()),
        timedelta(seconds=parse_overlap(settings.renewal_overlap)),
    )
    onboarding = assemble(
        Store(engine, sealer, core.enroller, core.hasher),
        Surroundings(
            platform=choice.platform,
            authority=choice.authority,
            own=choice.own,
            observer=observer,
            clock=clock,
            chance=random.SystemRandom(),
            identifiers=RandomIdentifiers(),
            timing=timing,
            keep=keeping.keep,
            overlap=keeping.overlap,
        ),
    )
    care = take_care(
        engine,
        sealer,
        onboarding.journal,
        onboarding.worker.tasks,
        choice.authority,
        choice.own_authority,
        observer,
        keeping,
        clock,
        timing,
    )
    if not settings.database_url:
        # The data directory is locked: what was leased before the start is left behind.
        await onboarding.leases.release_all()
        await onboarding.idempotency.forget_unfinished()
    onboarding.reconciler.start()
    care.upkeep.start()
    stack.push_async_callback(onboarding.worker.tasks.close, settings.shutdown_grace)
    stack.push_async_callback(onboarding.reconciler.stop)
    stack.push_async_callback(care.upkeep.stop)
    planner = Planner(onboarding.journal, engine, core.enroller)
    parts: list[Part] = [
        MappingRoutes(
            onboarding.onboardings,
            onboarding.idempotency,
            catalog,
            authentication,
            core.enroller,
            engine,
            settings.public_url.rstrip("/") or base_url,
            planner,
        ),
        PlanRoutes(planner, catalog, authentication),
        OnboardingRoutes(
            onboarding.onboardings, onboarding.journal, onboarding.audit, authentication
        ),
        CertificateRoutes(
            Certificates(
                choice.platform,
                choice.authority,
                care.ledger,
                care.renewal,
                _certificate_ttl(settings),
                clock.now,
            ),
            onboarding.onboardings,
            authentication,
        ),
        LayoutRoutes(catalog, authentication),
        OperationsRoutes(
            engine,
            metrics,
            onboarding.journal.count_by_state,
            care.ledger.first_ends,
            tuple(state.value for state in State),
            build_info(),
            str(uuid.uuid4()),
        ),
    ]
    app = make_app(parts, core, choice.routes, metrics, settings.cors_origins)
    return Service(app, *_operator(data))


def _reason(settings: Settings, error: Exception) -> str:
    """Return what a person reads who can't start the service."""
    if isinstance(error, SQLAlchemyError):
        place = "MG_PROVISION_DATABASE_URL" if settings.database_url else settings.data
        return f"the store ({place}) can't be used: {getattr(error, 'orig', None) or error}"
    return f"the service can't start: {error}"


def _bootstrap_core(
    settings: Settings, engine: AsyncEngine, sealer: Sealer, choice: PlatformChoice
) -> tuple[BootstrapCore, Authentication]:
    authentication = Authentication(choice.platform, choice.own, settings.domain_id)
    resources = PlatformResources(choice.platform, choice.authority)
    options = Options(encrypt_key=settings.encrypt_key)
    return BootstrapCore(engine, sealer, authentication, resources, options), authentication


def _certificate_ttl(settings: Settings) -> timedelta:
    text = settings.certificate_ttl
    return timedelta(seconds=parse_lifetime(text) if text else DEFAULT_TTL_SECONDS)


def _operator(data: DataDirectory) -> tuple[Path | None, str]:
    account = data.read_operator()
    return (data.operator_file, account["domain_id"]) if account else (None, "")
