"""The one place where the service is put together: settings in, an ASGI app out."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

import httpx
from attrs import frozen
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp

from bootstrap_core.core import BootstrapCore, Options
from bootstrap_core.http.schemas import SCHEMAS as BOOTSTRAP_SCHEMAS
from bootstrap_core.http.schemas import SECURITY_SCHEMES
from bootstrap_core.openapi import Operation, Reply, describe, routes
from bootstrap_core.sealing import Sealer
from provision.api.answers import JsonAnswer
from provision.api.certificates import CertificateRoutes
from provision.api.layouts import LayoutRoutes
from provision.api.mapping import MappingRoutes
from provision.api.onboardings import OnboardingRoutes
from provision.api.operations import OperationsRoutes
from provision.api.schemas import SCHEMAS
from provision.api.wrapper import Wrapper
from provision.authentication import Authentication
from provision.build_info import build_info, release
from provision.certificates import Certificates
from provision.data_directory import DataDirectory
from provision.database import migrate, open_engine
from provision.layout.durations import parse_lifetime
from provision.layout.model import DEFAULT_TTL_SECONDS
from provision.layouts_in_force import LayoutWatcher, open_catalog
from provision.metrics import Metrics, OnboardingObserver
from provision.onboarding.audit import AuditTrail
from provision.onboarding.certification import Certification
from provision.onboarding.clock import SystemClock
from provision.onboarding.creation import Creation
from provision.onboarding.enrollment import Enrollments
from provision.onboarding.idempotency import Idempotency
from provision.onboarding.identifiers import RandomIdentifiers
from provision.onboarding.journal import Journal
from provision.onboarding.model import State
from provision.onboarding.reconciler import Reconciler
from provision.onboarding.removal import Removal
from provision.onboarding.repair import Repair
from provision.onboarding.retry import Timing
from provision.onboarding.rotation import Rotation
from provision.onboarding.runner import Runner
from provision.onboarding.service import Onboardings
from provision.onboarding.worker import Worker
from provision.platform_choice import PlatformChoice, open_platform
from provision.resources import PlatformResources
from provision.settings import Settings
from provision.settings_reader import Loaded

EXPOSED = ("Location", "ETag", "Retry-After", "X-Request-ID")
ALLOWED = ("Authorization", "Content-Type", "Idempotency-Key", "If-None-Match", "X-Request-ID")


class Served(Protocol):
    """A part of the API."""

    def operations(self) -> list[Operation]:
        """Return what it serves."""
        ...


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
) -> AsyncIterator[Service]:
    """Open the store, the platform and everything in between; close all of it at the end.

    ``base_url`` is where the service is reached; ``wire`` and ``timing`` stand in for the network
    to a Magistrala and its habits, in tests. Raises ``StartError`` and ``SettingsError``.
    """
    settings = loaded.settings
    data = DataDirectory(Path(settings.data))
    async with contextlib.AsyncExitStack() as stack:
        data.prepare()
        stack.callback(data.release)
        sealer = Sealer(data.sealing_keys(settings.sealing_keys))
        engine = open_engine(settings.database)
        stack.push_async_callback(engine.dispose)
        await migrate(engine)
        choice = await stack.enter_async_context(
            open_platform(settings, engine, sealer, data, wire)
        )
        catalog = open_catalog(loaded)
        watcher = LayoutWatcher(catalog)
        watcher.start()
        stack.push_async_callback(watcher.stop)
        core, authentication = _bootstrap_core(settings, engine, sealer, choice)
        core.start()
        stack.push_async_callback(core.stop)
        metrics = Metrics()
        journal, worker, onboardings = _onboarding(
            engine, sealer, choice, core, metrics, timing or Timing()
        )
        if engine.dialect.name == "sqlite":
            # Nobody else works on this store: what was leased before the start is left behind.
            await journal.release_all()
        reconciler = Reconciler(worker, SystemClock())
        reconciler.start()
        stack.push_async_callback(worker.tasks.close, settings.shutdown_grace)
        stack.push_async_callback(reconciler.stop)
        served: list[Served] = [
            MappingRoutes(
                onboardings,
                Idempotency(engine, sealer, SystemClock()),
                catalog,
                authentication,
                core.enroller,
                engine,
                settings.public_url.rstrip("/") or base_url,
            ),
            OnboardingRoutes(
                onboardings, journal, AuditTrail(engine, SystemClock()), authentication
            ),
            CertificateRoutes(
                Certificates(choice.platform, choice.authority, _certificate_ttl(settings)),
                authentication,
            ),
            LayoutRoutes(catalog, authentication),
            OperationsRoutes(
                engine,
                metrics,
                journal.count_by_state,
                tuple(state.value for state in State),
                build_info(),
                str(uuid.uuid4()),
            ),
        ]
        operations = [each for part in served for each in part.operations()]
        document = _document([*operations, *core.operations()])
        app = make_app(
            settings,
            metrics,
            [*core.routes(), *routes([*operations, *_openapi(document)]), *choice.routes],
        )
        yield Service(app, *_operator(data))


def make_app(settings: Settings, metrics: Metrics, served: Sequence[Route]) -> ASGIApp:
    """Return the app over ``served`` routes, wrapped once for everything that concerns all."""
    app = Wrapper(Router(list(served), redirect_slashes=False), metrics)
    if not settings.cors_origins:
        return app
    return CORSMiddleware(
        app,
        allow_origins=settings.cors_origins,
        allow_methods=("GET", "POST", "PUT", "PATCH", "DELETE"),
        allow_headers=ALLOWED,
        expose_headers=EXPOSED,
    )


def _bootstrap_core(
    settings: Settings, engine: AsyncEngine, sealer: Sealer, choice: PlatformChoice
) -> tuple[BootstrapCore, Authentication]:
    authentication = Authentication(choice.platform, choice.own, settings.domain_id)
    resources = PlatformResources(choice.platform, choice.authority)
    options = Options(encrypt_key=settings.encrypt_key)
    return BootstrapCore(engine, sealer, authentication, resources, options), authentication


def _onboarding(
    engine: AsyncEngine,
    sealer: Sealer,
    choice: PlatformChoice,
    core: BootstrapCore,
    metrics: Metrics,
    timing: Timing,
) -> tuple[Journal, Worker, Onboardings]:
    clock = SystemClock()
    platform, authority = choice.platform, choice.authority
    journal = Journal(engine, sealer, clock, str(uuid.uuid4()))
    creation = Creation(platform, clock, timing)
    certification = Certification(authority, clock, timing)
    enrollments = Enrollments(core.enroller)
    runner = Runner(
        creation,
        certification,
        Removal(platform, authority, clock, timing),
        Repair(platform, authority, creation, certification),
        Rotation(platform, authority),
        enrollments,
        journal,
        engine,
        core.hasher,
        clock,
    )
    worker = Worker(runner, journal, choice.own, OnboardingObserver(metrics), clock, timing)
    onboardings = Onboardings(
        journal, worker, enrollments, engine, core.hasher, RandomIdentifiers(), clock
    )
    return journal, worker, onboardings


def _certificate_ttl(settings: Settings) -> timedelta:
    text = settings.certificate_ttl
    return timedelta(seconds=parse_lifetime(text) if text else DEFAULT_TTL_SECONDS)


def _document(operations: Sequence[Operation]) -> Mapping[str, Any]:
    return describe(
        operations,
        {**BOOTSTRAP_SCHEMAS, **SCHEMAS},
        title="provision",
        version=release(),
        security_schemes=SECURITY_SCHEMES,
    )


def _openapi(document: Mapping[str, Any]) -> list[Operation]:
    async def show(_: Request) -> Response:
        """Show this document."""
        return JsonAnswer(document)

    return [
        Operation(
            method="GET",
            path="/openapi.json",
            handler=show,
            id="openapi",
            summary="Show the OpenAPI document",
            tag="operations",
            replies={200: Reply("The document")},
            security="",
        )
    ]


def _operator(data: DataDirectory) -> tuple[Path | None, str]:
    account = data.read_operator()
    return (data.operator_file, account["domain_id"]) if account else (None, "")
