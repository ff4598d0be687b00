"""The core answers what the Go bootstrap service was recorded to answer, where that was right."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import httpx
import pytest

from bootstrap_core.core import BootstrapCore
from bootstrap_core.tables import metadata
from provision.authentication import Authentication
from provision.embedded.authority import EmbeddedAuthority
from provision.embedded.errors import EmbeddedError
from provision.embedded.issuer_store import open_issuer
from provision.embedded.routes import routes
from provision.embedded.tokens import utc_now
from provision.pki.profiles import ClientProfile
from provision.platform.errors import PlatformError
from provision.resources import PlatformResources
from tests.bootstrap.world import OPTIONS, SEALER, app_of, client_of, render
from tests.embedded.holders import AnyHolder
from tests.embedded.service import Installation
from tests.golden.replay import Row, by_scenario, load, load_deviations, replay

SERVED_ELSEWHERE = ("provision",)


@contextlib.asynccontextmanager
async def service(installed: Installation) -> AsyncIterator[httpx.AsyncClient]:
    """Serve the core and the embedded platform together."""
    platform = installed.platform
    async with installed.engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
    issuer = await open_issuer(installed.engine, SEALER, "Test", utc_now())
    authority = EmbeddedAuthority(
        installed.engine, AnyHolder(platform, installed.engine), issuer, ClientProfile()
    )
    core = BootstrapCore(
        installed.engine,
        SEALER,
        Authentication(platform, remembered_seconds=0),
        PlatformResources(platform, authority),
        OPTIONS,
    )
    app = app_of([*core.routes(), *routes(platform)])
    for kind in (EmbeddedError, PlatformError):
        app.add_exception_handler(kind, render)
    core.start()
    try:
        async with client_of(app) as http:
            yield http
    finally:
        await core.stop()


def _scenarios() -> list[pytest.param]:
    return [
        pytest.param(rows, id=scenario) for scenario, rows in by_scenario(load("bootstrap")).items()
    ]


@pytest.mark.parametrize("rows", _scenarios())
async def test_answers_as_recorded(rows: list[Row], installed: Installation) -> None:
    mine = [
        row
        for row in rows
        if row["request"]["service"] not in SERVED_ELSEWHERE and row["request"]["path"] != "/health"
    ]
    async with service(installed) as http:
        found = await replay(
            http, mine, admin_token=installed.token.reveal(), deviations=load_deviations()
        )
    assert found == []
