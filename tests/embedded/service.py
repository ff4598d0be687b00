"""An embedded platform for tests: a database of its own, an app over it, an HTTP client."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
from attrs import frozen
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from bootstrap_core.errors import ServiceError
from bootstrap_core.http.answers import refusal
from bootstrap_core.secrets import Sealer, SealingKey, Secret
from provision.embedded.authority import EmbeddedAuthority
from provision.embedded.certificate_routes import CertificateRoutes
from provision.embedded.issuer_store import open_issuer
from provision.embedded.platform import EmbeddedKeys, EmbeddedPlatform
from provision.embedded.routes import routes
from provision.embedded.start import Operator, first_start, new_password
from provision.embedded.tables import metadata
from provision.embedded.tokens import utc_now
from provision.embedded.users import Cost, Passwords
from provision.pki.profiles import ClientProfile
from provision.store.database import open_engine
from tests.database import url_of
from tests.embedded.holders import AnyHolder

CHEAP = Cost(n=2, r=8, p=1)
KEYS = EmbeddedKeys(tokens=b"t" * 32, secrets=b"s" * 32)
SEALER_KEY = SealingKey(b"k" * 32)
SEALER = Sealer([SEALER_KEY])


@frozen
class Installation:
    """A platform that was started for the first time."""

    engine: AsyncEngine
    platform: EmbeddedPlatform
    operator: Operator
    token: Secret


@contextlib.asynccontextmanager
async def started(
    database: Path, now: Callable[[], datetime] = utc_now
) -> AsyncIterator[tuple[AsyncEngine, EmbeddedPlatform]]:
    """Start a platform over a store."""
    engine = open_engine(url_of(database))
    passwords = Passwords(CHEAP)
    try:
        yield engine, EmbeddedPlatform(engine, KEYS, SEALER, passwords, now=now)
    finally:
        passwords.close()
        await engine.dispose()


async def prepare(database: Path) -> Operator:
    """Make a database with the tables, the administrator and the first domain."""
    await prepare_tables(database)
    async with started(database) as (_, platform):
        return await first_start(platform, new_password())


async def prepare_tables(database: Path) -> None:
    """Make a database with nothing but the tables."""
    async with started(database) as (engine, _), engine.begin() as connection:
        await connection.run_sync(metadata.create_all)


def app_of(routes: list[BaseRoute]) -> Starlette:
    """Return an app that renders errors as the service does."""
    return Starlette(routes=routes, exception_handlers={ServiceError: _render})


def magistrala(platform: EmbeddedPlatform) -> Starlette:
    """Return an app with Magistrala's and Mainflux's routes, and nothing else."""
    return app_of([*routes(platform)])


async def with_certificates(installed: Installation) -> Starlette:
    """Return an app that has the routes for certificates too."""
    issuer = await open_issuer(installed.engine, SEALER, "Test", utc_now())
    holders = AnyHolder(installed.platform, installed.engine)
    authority = EmbeddedAuthority(installed.engine, holders, issuer, ClientProfile())
    platform = installed.platform
    return app_of(
        [
            *CertificateRoutes(platform, authority).routes(),
            *routes(platform),
        ]
    )


def http_client(app: Starlette) -> httpx.AsyncClient:
    """Return a client that speaks to ``app`` without a network."""
    transport = httpx.ASGITransport(app=app)
    return httpx.AsyncClient(transport=transport, base_url="http://platform.test")


async def _render(_: Request, error: Any) -> Response:
    return refusal(error)
