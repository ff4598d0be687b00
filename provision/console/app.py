"""The console put together: its pages behind sessions and form tokens, and its routes."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
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

from bootstrap_core.errors import INTERNAL, ServiceError
from bootstrap_core.http.openapi import ExactRoute
from bootstrap_core.secrets import Sealer, Secret
from provision.console.api import Api, open_api
from provision.console.bootstraps import BootstrapCreation, BootstrapEditing, Bootstraps, Offers
from provision.console.errors import ConsoleError, PageNotFound, SignedOut
from provision.console.forms import Form, read_form
from provision.console.gateway_actions import GatewayActions, Replacing
from provision.console.gateways import Gateways
from provision.console.layouts import LayoutPages
from provision.console.onboard import BackgroundJobs, Onboard, OnboardWatch
from provision.console.onboardings import OnboardingPages
from provision.console.pages import Handler, Page, PageLayout, PageRequest, Section
from provision.console.profiles import ProfileEditor, Profiles, ProfileVersions
from provision.console.sessions import (
    FIELD,
    HEADER,
    SESSION,
    Cookies,
    Lifetimes,
    Session,
    Sessions,
    SessionStore,
    check_origin,
)
from provision.console.sign_in import SIGN_IN, Account, OfferedDomains, SignIn
from provision.console.widgets import StaticFiles, Templates
from provision.platform.errors import InvalidToken
from provision.platform.port import Platform
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
NO_PAGE: Final = {
    404: "There is nothing at this address.",
    405: "This address does not take the request that was sent to it.",
}


@frozen
class Console:
    """The ASGI app that answers ``/console`` and everything below it."""

    layout: PageLayout
    sign_in: SignIn
    sessions: Sessions
    static: StaticFiles
    domains: OfferedDomains
    api: httpx.AsyncClient
    pages: Sequence[Page]
    public_url: str
    _router: Router = field(init=False, repr=False)

    @_router.default
    def _make_router(self) -> Router:
        by_path: dict[str, dict[str, Handler]] = {}
        for page in self.pages:
            by_path.setdefault(page.path, {})[page.method] = page.handler
        routes = [
            ExactRoute("/console/static/{rest:path}", self.static.serve, methods=["GET"]),
            ExactRoute("/console/", _redirect_home, methods=["GET"]),
            ExactRoute(SIGN_IN, self.sign_in.answer, methods=["GET", "POST"]),
            *(self._route(path, handlers) for path, handlers in by_path.items()),
        ]
        return Router(routes, redirect_slashes=False)

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

    def _route(self, path: str, handlers: dict[str, Handler]) -> Route:
        async def endpoint(http: Request) -> Response:
            method = "GET" if http.method == "HEAD" else http.method
            try:
                session = await self._session(http)
                form = await self._form(http, session)
                return await handlers[method](await self._page_request(http, session, form))
            except (SignedOut, InvalidToken):
                return self.sign_in.redirect(http)

        return ExactRoute(path, endpoint, methods=list(handlers))

    async def _session(self, http: Request) -> Session:
        return await self.sessions.find(self.layout.cookies.read(http, SESSION))

    async def _form(self, http: Request, session: Session) -> Form:
        if http.method in ("GET", "HEAD"):
            return Form()
        check_origin(http, self.public_url)
        form = await read_form(http)
        session.check_form(http.headers.get(HEADER) or form.text(FIELD))
        return form

    async def _page_request(self, http: Request, session: Session, form: Form) -> PageRequest:
        api = Api(
            self.api,
            session.credentials.access,
            session.domain_id,
            str(http.scope.get("request_id", "")),
        )
        domains = await self.domains.of(session)
        return PageRequest(http, session, api, form, self.layout, self.sessions, domains)

    async def _failure(self, http: Request, error: Exception) -> Response:
        status, title, text = _describe(told(error))
        if status == INTERNAL:
            structlog.get_logger().exception("page failed", exc_info=error)
        context = {"title": title, "text": text, "status": status}
        try:
            request = await self._page_request(http, await self._session(http), Form())
        except Exception:
            return self.layout.render(http, "failure_alone.html", context, status)
        return await request.page("failure.html", context, status=status)


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


async def _redirect_home(_: Request) -> Response:
    return RedirectResponse(HERE, 308)


def _is_browser(scope: Scope) -> bool:
    accepts = (value for name, value in scope["headers"] if name == b"accept")
    return scope["method"] in ("GET", "HEAD") and any(b"text/html" in value for value in accepts)


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


def _describe(error: Exception) -> tuple[int, str, str]:
    """Return the status, the title and the text of the page about an error."""
    if isinstance(error, ConsoleError):
        return error.status, error.title, error.message
    if isinstance(error, HTTPException):
        text = NO_PAGE.get(error.status_code, str(error.detail))
        return error.status_code, PageNotFound.title, text
    if isinstance(error, ServiceError) and error.is_public:
        return error.status, ConsoleError.title, error.message
    return (
        INTERNAL,
        ConsoleError.title,
        "The service failed with an error of its own; its log has the details.",
    )


@frozen
class Dependencies:
    """What the console needs of the service.

    ``home`` returns the ID of the domain that a user enters first, or an empty text for any.
    ``public_url`` is empty where no proxy stands before the service.
    """

    engine: AsyncEngine
    sealer: Sealer
    platform: Platform
    now: Callable[[], datetime]
    home: Callable[[Secret], Awaitable[str]]
    public_url: str
    lifetimes: Lifetimes = field(factory=Lifetimes)


@contextlib.asynccontextmanager
async def open_console(needed: Dependencies, api: ASGIApp) -> AsyncIterator[Console]:
    """Open the console. Its pages ask ``api``, which renders its own errors."""
    static, cookies = StaticFiles(), Cookies(needed.public_url)
    sessions = Sessions(
        SessionStore(needed.engine, needed.sealer),
        needed.platform,
        needed.home,
        needed.now,
        needed.lifetimes,
    )
    layout = PageLayout(Templates(static), cookies)
    jobs = BackgroundJobs(needed.now)
    offers = Offers(needed.platform)
    sections: Sequence[Section] = [
        Account(needed.platform, sessions, cookies),
        Gateways(needed.now),
        GatewayActions(needed.now),
        Replacing(),
        Onboard(jobs),
        OnboardWatch(jobs, needed.public_url),
        OnboardingPages(),
        BootstrapCreation(offers, needed.now),
        Bootstraps(),
        BootstrapEditing(offers, needed.now),
        LayoutPages(),
        ProfileEditor(),
        Profiles(),
        ProfileVersions(),
    ]
    async with open_api(api) as client:
        try:
            yield Console(
                layout=layout,
                sign_in=SignIn(layout, sessions, needed.public_url),
                sessions=sessions,
                static=static,
                domains=OfferedDomains(needed.platform),
                api=client,
                pages=[page for section in sections for page in section.pages()],
                public_url=needed.public_url,
            )
        finally:
            await jobs.close()
