"""The console as an ASGI app: sessions, form tokens, errors in words and security headers, once."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from typing import Final

import httpx
import structlog
from attrs import field, frozen
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bootstrap_core.http.openapi import ExactRoute
from bootstrap_core.secrets import Sealer
from provision.api.app import INTERNAL, told_status
from provision.console.api import Api, open_api
from provision.console.bootstrap_editing import BootstrapCreation, BootstrapEditing
from provision.console.bootstraps import Bootstraps, Offers
from provision.console.directory import Directory, HomeDomain
from provision.console.entrance import SIGN_IN, Entrance
from provision.console.errors import ConsoleError, PageNotFound, SignedOut
from provision.console.forms import Form, read_form
from provision.console.gateway_actions import GatewayActions, Replacing
from provision.console.gateways import Gateways
from provision.console.layouts import LayoutPages
from provision.console.onboard import Onboard, OnboardWatch
from provision.console.onboarding_pages import OnboardingPages
from provision.console.page import Handler, Page, Section
from provision.console.preferences import Preferences
from provision.console.profile_editor import ProfileEditor
from provision.console.profiles import Profiles, ProfileVersions
from provision.console.reception import Reception
from provision.console.rendering import StaticFiles, Templates
from provision.console.sessions import (
    FIELD,
    HEADER,
    SESSION,
    Cookies,
    Lifetimes,
    OfferedDomains,
    Session,
    SessionRows,
    check_origin,
)
from provision.console.undertakings import Undertakings
from provision.console.visit import Frame, Visit, navigation
from provision.platform.errors import InvalidToken
from provision.store.faults import told

HERE: Final = "/console"
HEADERS: Final = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; font-src 'self'; form-action 'self'; frame-ancestors 'none'; "
        "base-uri 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "cache-control": "no-store",
}
LOST: Final = {
    404: "There is nothing at this address.",
    405: "This address does not take what was sent to it.",
}


@frozen
class Console:
    """The ASGI app that answers ``/console`` and everything below it."""

    frame: Frame
    entrance: Entrance
    static: StaticFiles
    domains: OfferedDomains
    api: httpx.AsyncClient
    sections: Sequence[Page]
    public_url: str
    _router: Router = field(init=False, repr=False)

    @_router.default
    def _make_router(self) -> Router:
        return Router(self._routes(), redirect_slashes=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        # A path that is no page's counts as unknown, and not as the route that led here.
        scope.pop("route", None)

        async def send_guarded(message: Message) -> None:
            await send(_guarded(message))

        try:
            await self._router(scope, receive, send_guarded)
        except Exception as error:
            page = await self._failure(Request(scope), error)
            await page(scope, receive, send_guarded)

    def _routes(self) -> Sequence[Route]:
        by_path: dict[str, dict[str, Handler]] = {}
        for page in self.sections:
            by_path.setdefault(page.path, {})[page.method] = page.handler
        return [
            ExactRoute("/console/static/{rest:path}", self.static.serve, methods=["GET"]),
            ExactRoute("/console/", _home, methods=["GET"]),
            ExactRoute(SIGN_IN, self._entering, methods=["GET", "POST"]),
            *(self._route(path, handlers) for path, handlers in by_path.items()),
        ]

    def _route(self, path: str, handlers: dict[str, Handler]) -> Route:
        async def endpoint(request: Request) -> Response:
            method = "GET" if request.method == "HEAD" else request.method
            return await self._visit(request, handlers[method])

        return ExactRoute(path, endpoint, methods=list(handlers))

    async def _entering(self, request: Request) -> Response:
        if request.method == "POST":
            return await self.entrance.sign_in(request)
        return await self.entrance.show(request)

    async def _visit(self, request: Request, handler: Handler) -> Response:
        try:
            session = await self._recognise(request)
            form = await self._form(request, session)
            return await handler(await self._visiting(request, session, form))
        except (SignedOut, InvalidToken):
            return self.entrance.signed_out(request)

    async def _recognise(self, request: Request) -> Session:
        cookie = self.frame.cookies.read(request, SESSION)
        return await self.frame.reception.recognise(cookie)

    async def _form(self, request: Request, session: Session) -> Form:
        if request.method in ("GET", "HEAD"):
            return Form()
        check_origin(request, self.public_url)
        form = await read_form(request)
        session.check_form(request.headers.get(HEADER) or form.text(FIELD))
        return form

    async def _visiting(self, request: Request, session: Session, form: Form) -> Visit:
        api = Api(
            self.api,
            session.credentials.access,
            session.domain_id,
            str(request.scope.get("request_id", "")),
        )
        offered = await self.domains.of(session)
        return Visit(request, session, api, form, self.frame, offered)

    async def _failure(self, request: Request, error: Exception) -> Response:
        status, title, text = _told(told(error))
        if status == INTERNAL:
            structlog.get_logger().exception("page failed", exc_info=error)
        context = {"title": title, "text": text, "status": status}
        try:
            visit = await self._visiting(request, await self._recognise(request), Form())
        except Exception:
            whole = self.frame.surroundings(request) | context
            return self.frame.templates.answer("failure_alone.html", status, whole)
        return await visit.page("failure.html", context, status=status)


def mount(console: ASGIApp) -> Sequence[Route]:
    """Return the routes that lead to the console, and browsers from ``/`` to it.

    They go before the API's, whose ``/{domain_id}/...`` would take the console's paths as well.
    """
    return [
        ExactRoute("/", Browsers(), methods=None),
        ExactRoute(HERE, console, methods=None),
        ExactRoute(HERE + "/{rest:path}", console, methods=None),
    ]


class Browsers:
    """Sends browsers from ``/`` to the console; for everyone else there is nothing."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. Raises ``HTTPException``: it is not a browser's."""
        if not _is_browser(scope):
            del scope["route"]
            raise HTTPException(404)
        await RedirectResponse(HERE, 303)(scope, receive, send)


async def _home(_: Request) -> Response:
    return RedirectResponse(HERE, 308)


def _is_browser(scope: Scope) -> bool:
    accepts = (value for name, value in scope["headers"] if name == b"accept")
    return scope["method"] in ("GET", "HEAD") and any(b"text/html" in each for each in accepts)


def _guarded(message: Message) -> Message:
    """Return the message with the security headers; what the page set itself stays."""
    if message["type"] != "http.response.start":
        return message
    present = {name.lower() for name, _ in message.get("headers", ())}
    added = [
        (name.encode(), value.encode())
        for name, value in HEADERS.items()
        if name.encode() not in present
    ]
    return {**message, "headers": [*message.get("headers", ()), *added]}


def _told(error: Exception) -> tuple[int, str, str]:
    """Return status, title and words for an exception."""
    if isinstance(error, ConsoleError):
        return error.status, error.title, error.message
    if isinstance(error, HTTPException):
        text = LOST.get(error.status_code, str(error.detail))
        return error.status_code, PageNotFound.title, text
    if (status := told_status(error)) != INTERNAL:
        return status, ConsoleError.title, str(getattr(error, "message", error))
    return (
        INTERNAL,
        ConsoleError.title,
        "The service failed with an error of its own; its log has the details.",
    )


@frozen
class Ground:
    """What the console stands on; ``public_url`` is empty where no proxy stands before it."""

    engine: AsyncEngine
    sealer: Sealer
    directory: Directory
    now: Callable[[], datetime]
    home: HomeDomain
    public_url: str
    lifetimes: Lifetimes = field(factory=Lifetimes)


@contextlib.asynccontextmanager
async def open_console(ground: Ground, api: ASGIApp) -> AsyncIterator[Console]:
    """Open the console; its pages ask ``api``, which renders its own errors."""
    static, cookies = StaticFiles(), Cookies(ground.public_url)
    reception = Reception(
        SessionRows(ground.engine, ground.sealer),
        ground.directory,
        ground.home,
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
    async with open_api(api) as client:
        try:
            yield Console(
                frame=frame,
                entrance=Entrance(frame, ground.public_url),
                static=static,
                domains=OfferedDomains(ground.directory),
                api=client,
                sections=pages,
                public_url=ground.public_url,
            )
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
