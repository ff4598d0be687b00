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
from starlette.types import ASGIApp

from bootstrap_core.core import BootstrapCore, Foundation, Options
from bootstrap_core.errors import BootstrapError, SealingError
from bootstrap_core.secrets import Sealer, Secret
from bootstrap_core.store.pair_rows import PairDigests
from provision.api.app import IndexedRouter, Part, make_api, make_app, make_inner_app
from provision.api.certificates import CertificateRoutes
from provision.api.layouts import LayoutRoutes
from provision.api.mapping import MappingRoutes
from provision.api.onboardings import GatewayListRoutes, OnboardingRoutes
from provision.api.operations import OperationsRoutes
from provision.api.plans import DriftRoutes, PlanRoutes
from provision.authentication import CACHE_TTL, Authentication, HomeDomain
from provision.build_info import build_info
from provision.certificates import Certificates
from provision.console.app import Dependencies as ConsoleDependencies
from provision.console.app import mount, open_console
from provision.embedded.access import Entered
from provision.errors import StartError
from provision.layout.catalog import LayoutCatalog
from provision.layout.model import DEFAULT_TTL_SECONDS, parse_lifetime, parse_overlap
from provision.layouts_in_force import LayoutWatcher, longest_ttl, open_catalog
from provision.metrics import Metrics, OnboardingObserver
from provision.onboarding.assembly import Assembly, Dependencies, Store, assemble
from provision.onboarding.certificates.renewal import CareSettings, CertificateCare, take_care
from provision.onboarding.certificates.signing import CertificateRequests, KeepKeys
from provision.onboarding.clock import Clock, SystemClock, Timing
from provision.onboarding.creation import RandomIdentifiers
from provision.onboarding.drift import DriftFinder
from provision.onboarding.engine import Engine
from provision.onboarding.lists import GatewayList
from provision.onboarding.model import State
from provision.onboarding.preview import Planner
from provision.permissions import Permissions
from provision.pki.errors import PkiError
from provision.platform.errors import Misconfigured, PlatformError
from provision.platform_choice import PlatformChoice, open_platform
from provision.resources import PlatformResources
from provision.settings import Settings
from provision.settings_reader import Loaded
from provision.store.data_directory import DataDirectory
from provision.store.database import StoreEngine, migrate, open_engine
from provision.store.key_store import KeyStore
from provision.subjects import RequestSubjects


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
        opening = _Opening(
            stack, loaded, base_url, wire, timing or Timing(), clock or SystemClock()
        )
        try:
            service = await opening.service()
        except (SealingError, PkiError, Misconfigured, SQLAlchemyError, OSError) as error:
            raise StartError(_reason(loaded.settings, error)) from error
        yield service


@frozen
class _Ground:
    """What everything else stands on."""

    engine: StoreEngine
    sealer: Sealer
    choice: PlatformChoice
    foundation: Foundation
    onboarding: Assembly
    authentication: Authentication
    core: BootstrapCore


@frozen
class _Opening:
    """Opens one part after the other; the stack closes them in reverse order."""

    stack: contextlib.AsyncExitStack
    loaded: Loaded
    base_url: str
    wire: httpx.AsyncBaseTransport | None
    timing: Timing
    clock: Clock

    @property
    def settings(self) -> Settings:
        return self.loaded.settings

    async def service(self) -> Service:
        data = DataDirectory(Path(self.settings.data))
        data.prepare()
        self.stack.callback(data.release)
        catalog = self.layouts()
        metrics = Metrics()
        metrics.watch_layouts(catalog)
        observer = OnboardingObserver(metrics)
        ground = await self.ground(data, observer)
        metrics.watch_fetch_log(ground.core.fetch_log)
        onboarding = ground.onboarding
        care = self.care(ground, onboarding, observer)
        await self.start(onboarding, care)
        finder = self.finder(ground)
        planner = Planner(onboarding.journal, ground.engine, ground.foundation.enroller, finder)
        mapping = MappingRoutes(
            onboarding.onboardings,
            onboarding.idempotency,
            catalog,
            ground.authentication,
            ground.foundation.enroller,
            ground.engine,
            self.settings.public_url.rstrip("/") or self.base_url,
            planner,
        )
        parts: list[Part] = [
            DriftRoutes(onboarding.onboardings, finder, ground.authentication, mapping.view),
            mapping,
            PlanRoutes(planner, catalog, ground.authentication),
            GatewayListRoutes(GatewayList(ground.engine), ground.authentication, self.clock.now),
            OnboardingRoutes(
                onboarding.onboardings,
                onboarding.onboarding_list,
                onboarding.audit,
                onboarding.running,
                ground.authentication,
            ),
            self.certificates(ground, onboarding, care),
            LayoutRoutes(catalog, ground.authentication),
            self.operations(ground, metrics, onboarding, care),
        ]
        api = make_api(parts, ground.core, ground.choice.routes)
        served = await self.console(ground, api)
        app = make_app(served, metrics, self.settings.cors_origins, served.words)
        return Service(app, *_operator(data))

    def finder(self, ground: _Ground) -> DriftFinder:
        return DriftFinder(
            ground.choice.platform,
            ground.choice.authority,
            ground.engine,
            ground.foundation.enroller,
            self.clock.now,
        )

    async def console(self, ground: _Ground, api: IndexedRouter) -> IndexedRouter:
        """Open the web console, and mount it beside the API's routes."""
        standing = ConsoleDependencies(
            ground.engine,
            ground.sealer,
            ground.choice.platform,
            self.clock.now,
            self.home(ground.choice),
            self.settings.public_url,
        )
        opening = open_console(standing, make_inner_app(api))
        return api.behind(mount(await self.stack.enter_async_context(opening)))

    def home(self, choice: PlatformChoice) -> HomeDomain:
        """Return what tells the domain that a user enters first: the configured one, or the own."""

        async def home(token: Secret) -> str:
            return self.settings.domain_id or await choice.home(token)

        return home

    async def ground(self, data: DataDirectory, observer: OnboardingObserver) -> _Ground:
        sealer = data.sealer(self.settings.sealing_keys)
        engine = open_engine(self.settings.database)
        self.stack.push_async_callback(engine.dispose)
        await migrate(engine)
        choice = await self.stack.enter_async_context(
            open_platform(self.settings, engine, sealer, data, self.wire, self.clock.now)
        )
        # All replicas know a device by the same key.
        pairs = PairDigests(await KeyStore(engine, sealer).key("device pairs"))
        options = Options(encrypt_key=self.settings.encrypt_key, pair_digests=pairs)
        foundation = Foundation.lay(engine, sealer, options)
        onboarding = self.onboarding(foundation, choice, observer)
        subjects = RequestSubjects(onboarding.journal, choice.authority)
        authentication = Authentication(
            choice.platform,
            Permissions(choice.platform, subjects, CACHE_TTL),
            choice.own,
            self.settings.domain_id,
            home=choice.home,
            resume=onboarding.engine.resume_with,
        )
        choice.on_entry(_resuming(onboarding.engine, authentication))
        resources = PlatformResources(choice.platform, choice.authority, onboarding.config_parts)
        core = BootstrapCore(foundation, authentication, resources)
        core.start()
        self.stack.push_async_callback(core.stop)
        return _Ground(engine, sealer, choice, foundation, onboarding, authentication, core)

    def layouts(self) -> LayoutCatalog:
        catalog = open_catalog(self.loaded)
        watcher = LayoutWatcher(catalog)
        watcher.start()
        self.stack.push_async_callback(watcher.stop)
        return catalog

    def onboarding(
        self, foundation: Foundation, choice: PlatformChoice, observer: OnboardingObserver
    ) -> Assembly:
        keeping = self.keeping()
        return assemble(
            Store(
                foundation.engine,
                foundation.sealer,
                foundation.enroller,
                foundation.hasher,
                foundation.ownership.admit,
            ),
            Dependencies(
                platform=choice.platform,
                authority=choice.onboarding_authority,
                own=choice.own,
                observer=observer,
                clock=self.clock,
                random=random.SystemRandom(),
                identifiers=RandomIdentifiers(),
                timing=self.timing,
                keep=keeping.keep,
                overlap=keeping.overlap,
            ),
        )

    def care(
        self, ground: _Ground, onboarding: Assembly, observer: OnboardingObserver
    ) -> CertificateCare:
        return take_care(
            ground.engine,
            ground.sealer,
            onboarding.journal,
            onboarding.engine.jobs,
            ground.choice.authority,
            ground.choice.own_authority,
            observer,
            self.keeping(),
            self.clock,
            self.timing,
        )

    def keeping(self) -> CareSettings:
        return CareSettings(
            KeepKeys(self.settings.keep_private_keys.lower()),
            timedelta(seconds=parse_overlap(self.settings.renewal_overlap)),
        )

    async def start(self, onboarding: Assembly, care: CertificateCare) -> None:
        if not self.settings.database_url:
            # The data directory is locked: what was leased before the start is left behind.
            await onboarding.leases.release_all()
            await onboarding.idempotency.forget_unfinished()
        onboarding.engine.start()
        care.upkeep.start()
        grace = self.settings.shutdown_grace
        self.stack.push_async_callback(onboarding.idempotency.close)
        self.stack.push_async_callback(onboarding.engine.jobs.close, grace)
        self.stack.push_async_callback(onboarding.engine.stop)
        self.stack.push_async_callback(care.upkeep.stop)

    def certificates(
        self, ground: _Ground, onboarding: Assembly, care: CertificateCare
    ) -> CertificateRoutes:
        text = self.settings.certificate_ttl
        usual = min(DEFAULT_TTL_SECONDS, longest_ttl(self.settings) or DEFAULT_TTL_SECONDS)
        seconds = parse_lifetime(text) if text else usual
        certificates = Certificates(
            ground.choice.platform.clients,
            ground.choice.authority,
            care.ledger,
            CertificateRequests(ground.engine, self.clock),
            care.renewal,
            timedelta(seconds=seconds),
            self.clock.now,
        )
        return CertificateRoutes(certificates, onboarding.onboardings, ground.authentication)

    def operations(
        self, ground: _Ground, metrics: Metrics, onboarding: Assembly, care: CertificateCare
    ) -> OperationsRoutes:
        return OperationsRoutes(
            ground.engine,
            metrics,
            onboarding.onboarding_list.count_by_state,
            care.ledger.first_ends,
            tuple(state.value for state in State),
            build_info(),
            str(uuid.uuid4()),
            ground.choice.presence,
        )


def _resuming(engine: Engine, authentication: Authentication) -> Entered:
    """Return what resumes with the tokens of those who ask the embedded platform's own routes."""

    async def resume(token: Secret, domain_id: str) -> None:
        if engine.is_awaited(domain_id):
            # Whoever may not enter the domain is told so by the route.
            with contextlib.suppress(BootstrapError, PlatformError):
                await engine.resume_with(await authentication.identify(token, domain_id))

    return resume


def _reason(settings: Settings, error: Exception) -> str:
    """Return what a person reads who can't start the service."""
    if isinstance(error, SQLAlchemyError):
        place = "MG_PROVISION_DATABASE_URL" if settings.database_url else settings.data
        return f"the store ({place}) can't be used: {getattr(error, 'orig', None) or error}"
    return f"the service can't start: {error}"


def _operator(data: DataDirectory) -> tuple[Path | None, str]:
    account = data.read_operator()
    return (data.operator_file, account["domain_id"]) if account else (None, "")
