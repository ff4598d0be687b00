"""Signing in and out, the home page, and what a user chooses: the domain and the theme."""

from __future__ import annotations

import re
import time
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final
from urllib.parse import quote, unquote

from attrs import field, frozen
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bootstrap_core.secrets import Secret
from provision.console.errors import ForgedRequest, SignInRefused
from provision.console.forms import Form, read_form
from provision.console.pages import SEE_OTHER, Page, PageLayout, PageRequest
from provision.console.sessions import (
    A_YEAR,
    FIELD,
    GUEST,
    SESSION,
    THEME,
    THEMES,
    Cookies,
    Session,
    Sessions,
    check_form_token,
    check_origin,
    form_token,
    new_cookie,
)
from provision.console.widgets import PAGE, offset_of, pager
from provision.platform.errors import DomainNotFound, NotAMember, PlatformError
from provision.platform.port import Platform
from provision.platform.types import Domain

SIGN_IN: Final = "/console/sign-in"
HOME: Final = "/console"
# A path of the console and nothing that a browser could read as another host's.
OWN_PAGE: Final = re.compile(r"/console(?:[/?][!-\[\]-~]*)?\Z")
PURPOSE: Final = "sign-in"


@frozen
class SignIn:
    """The sign-in page."""

    layout: PageLayout
    sessions: Sessions
    public_url: str

    async def answer(self, request: Request) -> Response:
        """Show the form, or open a session with what was filled in."""
        if request.method == "POST":
            return await self._sign_in(request)
        form = Form.of(next=own_page(request.query_params.get("next", "")))
        return self._page(request, form, 200)

    def redirect(self, request: Request) -> Response:
        """Answer whoever is not signed in: go to the sign-in page, and from there back here."""
        page = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        back = "" if request.method != "GET" else f"?next={quote(page, safe='/')}"
        if "hx-request" in request.headers:
            response = Response(headers={"HX-Redirect": SIGN_IN})
        else:
            response = RedirectResponse(SIGN_IN + back, SEE_OTHER)
        if self._cookies.read(request, SESSION):
            self._cookies.remove(request, response, SESSION)
        return response

    async def _sign_in(self, request: Request) -> Response:
        check_origin(request, self.public_url)
        form = await read_form(request)
        guest = self._cookies.read(request, GUEST)
        if not guest:
            return self._page(request, form.wrong(username=""), 403, NO_COOKIES)
        try:
            check_form_token(form.text(FIELD), form_token(guest, PURPOSE))
        except ForgedRequest:
            return self._page(request, form, 403, OLD_FORM)
        if missing := _missing(form):
            return self._page(request, missing, 422)
        try:
            password = Secret(form.raw("password"))
            cookie = await self.sessions.sign_in(form.text("username"), password)
        except SignInRefused as error:
            return self._page(request, form, 422, error.message)
        except PlatformError as error:
            return self._page(request, form, 503, error.message)
        response = RedirectResponse(own_page(form.text("next")), SEE_OTHER)
        # A session that this browser had before ends with the new one.
        if old := self._cookies.read(request, SESSION):
            await self.sessions.sign_out(old)
        self._cookies.write(request, response, SESSION, cookie, None)
        self._cookies.remove(request, response, GUEST)
        return response

    @property
    def _cookies(self) -> Cookies:
        return self.layout.cookies

    def _page(self, request: Request, form: Form, status: int, message: str = "") -> Response:
        guest = self._cookies.read(request, GUEST) or new_cookie()
        token = form_token(guest, PURPOSE)
        context = {"form": form, "message": message, "form_token": token}
        response = self.layout.render(request, "sign_in.html", context, status)
        self._cookies.write(request, response, GUEST, guest, None)
        return response


NO_COOKIES: Final = "Your browser sent no cookie: allow cookies for this address and sign in again."
OLD_FORM: Final = "This form has expired: please sign in again."


def own_page(path: str) -> str:
    """Return ``path`` where it is one of the console's pages, else that of the home page."""
    decoded = unquote(path.partition("?")[0])
    leads_away = "//" in decoded or ".." in decoded or decoded.startswith(SIGN_IN)
    is_own = OWN_PAGE.match(path) and not leads_away
    return path if is_own else HOME


def _missing(form: Form) -> Form | None:
    missing = {
        name: f"Enter your {label}."
        for name, label in (("username", "user name or e-mail address"), ("password", "password"))
        if not form.raw(name)
    }
    return form.wrong(**missing) if missing else None


DOMAINS: Final = "/console/domains"


@frozen
class Account:
    """The pages about the user: home, domains, theme, signing out."""

    platform: Platform
    sessions: Sessions
    cookies: Cookies

    def pages(self) -> Sequence[Page]:
        return [
            Page("GET", "/console", self.home),
            Page("GET", DOMAINS, self.domains),
            Page("POST", "/console/domain", self.enter),
            Page("POST", "/console/theme", self.choose_theme),
            Page("POST", "/console/sign-out", self.sign_out),
        ]

    async def home(self, request: PageRequest) -> Response:
        return await request.page("home.html")

    async def domains(self, request: PageRequest) -> Response:
        found = await self.platform.list_domains(request.token, offset_of(request.http), PAGE)
        context = {"found": found.items, "pager": pager(request.http, {"total": found.total}, {})}
        return await request.page("domains.html", context)

    async def enter(self, request: PageRequest) -> Response:
        """Switch to another domain and to its home page: other pages are about the old domain."""
        try:
            name = await self.sessions.enter(request.session, request.form.text("domain_id"))
        except (NotAMember, DomainNotFound) as error:
            return await request.done(DOMAINS, error.message)
        return await request.done("/console", f"You are in the domain {name} now.")

    async def choose_theme(self, request: PageRequest) -> Response:
        theme = request.form.text("theme")
        response = request.redirect(own_page(request.form.text("back")))
        chosen = theme if theme in THEMES else THEMES[0]
        self.cookies.write(request.http, response, THEME, Secret(chosen), A_YEAR)
        return response

    async def sign_out(self, request: PageRequest) -> Response:
        await self.sessions.close(request.session)
        response = request.redirect(SIGN_IN)
        self.cookies.remove(request.http, response, SESSION)
        return response


OFFERED: Final = 25
CACHE_SECONDS: Final = 60.0
MAX_CACHED: Final = 1000


@frozen
class OfferedDomains:
    """Up to 25 domains of each user, cached; a page of its own lists all of them."""

    platform: Platform
    _cache: OrderedDict[str, tuple[float, Sequence[Domain]]] = field(
        init=False, factory=OrderedDict
    )

    async def of(self, session: Session) -> Sequence[Domain]:
        """Return a session's domains; none where the platform can't say right now."""
        known = self._cache.get(session.id)
        if known and known[0] > time.monotonic() and _may_be_current(known[1], session.domain_id):
            return known[1]
        try:
            page = await self.platform.list_domains(session.credentials.access, 0, OFFERED)
        except PlatformError:
            return ()
        self._cache[session.id] = (time.monotonic() + CACHE_SECONDS, page.items)
        self._cache.move_to_end(session.id)
        while len(self._cache) > MAX_CACHED:
            self._cache.popitem(last=False)
        return page.items


def _may_be_current(domains: Sequence[Domain], domain_id: str) -> bool:
    # A domain that the user has just entered is missing from an old list.
    return len(domains) == OFFERED or any(domain.id == domain_id for domain in domains)
