"""The console put together; a new part of it is one more line in ``_sections``."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime

from attrs import field, frozen
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.types import ASGIApp

from bootstrap_core.sealing import Sealer
from provision.console.api import open_api
from provision.console.bootstrap_creation import BootstrapCreation
from provision.console.bootstrap_editing import BootstrapEditing
from provision.console.bootstraps import Bootstraps
from provision.console.choices import Offers
from provision.console.console import Console, Front
from provision.console.cookies import Cookies
from provision.console.directory import Directory
from provision.console.domain_lists import OfferedDomains
from provision.console.entrance import Entrance
from provision.console.gateway_actions import GatewayActions
from provision.console.gateways import Gateways
from provision.console.layouts import LayoutPages
from provision.console.navigation import navigation
from provision.console.onboard import Onboard
from provision.console.onboard_watch import OnboardWatch
from provision.console.onboarding_pages import OnboardingPages
from provision.console.page import Section
from provision.console.preferences import Preferences
from provision.console.profile_editor import ProfileEditor
from provision.console.profile_versions import ProfileVersions
from provision.console.profiles import Profiles
from provision.console.reception import Reception
from provision.console.rendering import Templates
from provision.console.replacing import Replacing
from provision.console.session import Lifetimes
from provision.console.session_rows import SessionRows
from provision.console.static_files import StaticFiles
from provision.console.undertakings import Undertakings
from provision.console.visit import Frame


@frozen
class Ground:
    """What the console stands on; ``public_url`` is empty where no proxy stands before it."""

    engine: AsyncEngine
    sealer: Sealer
    directory: Directory
    now: Callable[[], datetime]
    default_domain: str
    public_url: str
    lifetimes: Lifetimes = field(factory=Lifetimes)


@contextlib.asynccontextmanager
async def open_console(ground: Ground, asked: ASGIApp, api: ASGIApp) -> AsyncIterator[ASGIApp]:
    """Open the console before ``api``; its pages ask ``asked``, which renders its own errors."""
    static, cookies = StaticFiles(), Cookies(ground.public_url)
    reception = Reception(
        SessionRows(ground.engine, ground.sealer),
        ground.directory,
        ground.default_domain,
        ground.now,
        ground.lifetimes,
    )
    undertakings = Undertakings(ground.now)
    sections: Sequence[Section] = [
        Preferences(ground.directory, reception, cookies),
        *_sections(ground, undertakings),
    ]
    pages = [page for section in sections for page in section.pages()]
    entries = navigation({page.path for page in pages})
    frame = Frame(Templates(static), cookies, reception, entries)
    async with open_api(asked) as client:
        console = Console(
            frame=frame,
            entrance=Entrance(frame, ground.public_url),
            static=static,
            domains=OfferedDomains(ground.directory),
            api=client,
            sections=pages,
            public_url=ground.public_url,
        )
        try:
            yield Front(console.app(), api)
        finally:
            await undertakings.close()


def _sections(ground: Ground, undertakings: Undertakings) -> Sequence[Section]:
    offers = Offers(ground.directory)
    return [
        Gateways(ground.now),
        GatewayActions(ground.now),
        Replacing(),
        Onboard(undertakings),
        OnboardWatch(undertakings, ground.public_url),
        OnboardingPages(),
        BootstrapCreation(offers, ground.now),
        Bootstraps(),
        BootstrapEditing(offers, ground.now),
        LayoutPages(),
        ProfileEditor(),
        Profiles(),
        ProfileVersions(),
    ]
