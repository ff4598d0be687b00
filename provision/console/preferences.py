"""The home page, signing out, the domain that a session is about, and the theme."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from attrs import frozen
from starlette.responses import Response

from bootstrap_core.secrets import Secret
from provision.console.directory import DomainLists
from provision.console.entrance import SIGN_IN, own_page
from provision.console.page import PAGE, Page, offset_of, pager
from provision.console.reception import Reception
from provision.console.sessions import A_YEAR, SESSION, THEME, THEMES, Cookies
from provision.console.visit import Visit
from provision.platform.errors import DomainNotFound, NotAMember

DOMAINS: Final = "/console/domains"


@frozen
class Preferences:
    """What concerns the user and not a part of the console."""

    directory: DomainLists
    reception: Reception
    cookies: Cookies

    def pages(self) -> Sequence[Page]:
        """Return the pages."""
        return [
            Page("GET", "/console", self.home),
            Page("GET", DOMAINS, self.domains),
            Page("POST", "/console/domain", self.enter),
            Page("POST", "/console/theme", self.choose_theme),
            Page("POST", "/console/sign-out", self.sign_out),
        ]

    async def home(self, visit: Visit) -> Response:
        """Show what the console is for."""
        return await visit.page("home.html")

    async def domains(self, visit: Visit) -> Response:
        """List the user's domains."""
        found = await self.directory.list_domains(visit.token, offset_of(visit.request), PAGE)
        context = {"found": found.items, "pager": pager(visit.request, {"total": found.total}, {})}
        return await visit.page("domains.html", context)

    async def enter(self, visit: Visit) -> Response:
        """Go on in another domain, from its home page: pages of the old one mean nothing there."""
        try:
            name = await self.reception.enter(visit.session, visit.form.text("domain_id"))
        except (NotAMember, DomainNotFound) as error:
            return await visit.done(DOMAINS, error.message)
        return await visit.done("/console", f"You are in the domain {name} now.")

    async def choose_theme(self, visit: Visit) -> Response:
        """Remember a theme, and go back to the page."""
        theme = visit.form.text("theme")
        response = visit.to(own_page(visit.form.text("back")))
        chosen = theme if theme in THEMES else THEMES[0]
        self.cookies.write(visit.request, response, THEME, Secret(chosen), A_YEAR)
        return response

    async def sign_out(self, visit: Visit) -> Response:
        """End the session."""
        await self.reception.close(visit.session)
        response = visit.to(SIGN_IN)
        self.cookies.remove(visit.request, response, SESSION)
        return response
