"""The core answers what the Go bootstrap service was recorded to answer, where that was right."""

from __future__ import annotations

import contextlib
import random
from collections.abc import AsyncIterator, Mapping

import httpx
import pytest

from bootstrap_core.core import BootstrapCore, Foundation
from bootstrap_core.model import Caller
from bootstrap_core.store.tables import metadata
from provision.authentication import Authentication
from provision.embedded.authority import EmbeddedAuthority
from provision.embedded.issuer_store import open_issuer
from provision.embedded.routes import routes
from provision.embedded.tokens import utc_now
from provision.metrics import Metrics, OnboardingObserver
from provision.onboarding.assembly import Dependencies, Store, assemble
from provision.onboarding.clock import SystemClock
from provision.onboarding.creation import RandomIdentifiers
from provision.onboarding.tables import metadata as onboarding_metadata
from provision.permissions import Permissions, Things
from provision.pki.profiles import ClientProfile
from provision.resources import PlatformResources
from provision.rights import On
from tests.bootstrap.world import OPTIONS, SEALER, app_of, client_of
from tests.embedded.holders import AnyHolder
from tests.embedded.service import Installation
from tests.golden.replay import Row, by_scenario, load, load_deviations, replay
from tests.service.running import QUICK

SERVED_ELSEWHERE = ("provision",)


class OfConfigs:
    """The subjects of the core's routes: configs alone."""

    async def things(self, caller: Caller, on: On, values: Mapping[str, str]) -> Things | None:
        assert on is On.CLIENT
        return Things((values.get("config_id") or values["thing_id"],))


@contextlib.asynccontextmanager
async def service(installed: Installation) -> AsyncIterator[httpx.AsyncClient]:
    """Serve the core and the embedded platform together."""
    platform = installed.platform
    async with installed.engine.begin() as connection:
        for tables in (metadata, onboarding_metadata):
            await connection.run_sync(tables.create_all)
    issuer = await open_issuer(installed.engine, SEALER, "Test", utc_now())
    authority = EmbeddedAuthority(
        installed.engine, AnyHolder(platform, installed.engine), issuer, ClientProfile()
    )
    foundation = Foundation.lay(installed.engine, SEALER, OPTIONS)
    parts = assemble(
        Store(
            installed.engine,
            SEALER,
            foundation.enroller,
            foundation.hasher,
            foundation.ownership.admit,
        ),
        Dependencies(
            platform=platform,
            authority=authority,
            own=None,
            observer=OnboardingObserver(Metrics()),
            clock=SystemClock(),
            random=random.SystemRandom(),
            identifiers=RandomIdentifiers(),
            timing=QUICK,
        ),
    ).config_parts
    core = BootstrapCore(
        foundation,
        Authentication(platform, Permissions(platform, OfConfigs(), 0.0), cache_seconds=0),
        PlatformResources(platform, authority, parts),
    )
    app = app_of([*core.routes(), *routes(platform)])
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
