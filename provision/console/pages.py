"""Pages: what each answers, the request that its handler is given, and the layout around it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, Protocol

from attrs import frozen
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from bootstrap_core.secrets import Secret
from provision.console.api import Api
from provision.console.forms import Form
from provision.console.sessions import Cookies, Notice, Session, Sessions
from provision.console.widgets import Templates
from provision.platform.types import Domain


@frozen
class Entry:
    """A section in the navigation."""

    path: str
    label: str
    purpose: str


NAVIGATION: Final[Sequence[Entry]] = (
    Entry("/console/gateways", "Gateways", "Every gateway, its state, and what you can do with it"),
    Entry("/console/onboard", "Onboard", "Bring a new gateway onto the platform"),
    Entry("/console/bootstraps", "Bootstraps", "What each device fetches when it starts"),
    Entry("/console/profiles", "Profiles", "Templates of device configurations"),
    Entry("/console/layouts", "Layouts", "Which clients and channels a gateway has"),
    Entry("/console/onboardings", "Onboardings", "The journal: what was done, and by whom"),
)


SEE_OTHER: Final = 303
UNPROCESSABLE: Final = 422


@frozen
class PageLayout:
    """What surrounds the content of every page."""

    templates: Templates
    cookies: Cookies

    def render(
        self, http: Request, template: str, context: Mapping[str, Any], status: int = 200
    ) -> HTMLResponse:
        """Answer ``http`` with a page, made of ``context`` and what every page shows."""
        shared = {
            "path": http.url.path,
            "theme": self.cookies.theme(http),
            "navigation": NAVIGATION,
            "request_id": http.scope.get("request_id", ""),
        }
        return HTMLResponse(self.templates.render(template, {**shared, **context}), status)


@frozen
class PageRequest:
    """A signed-in user's request, as a page's handler is given it.

    ``form`` is what was sent; it is empty for GET. ``domains`` are those to switch to.
    """

    http: Request
    session: Session
    api: Api
    form: Form
    layout: PageLayout
    sessions: Sessions
    domains: Sequence[Domain]

    @property
    def token(self) -> Secret:
        """The user's token at the platform."""
        return self.session.credentials.access

    @property
    def is_partial(self) -> bool:
        """Whether htmx asks, which takes a part of the page."""
        return "hx-request" in self.http.headers

    def path(self, name: str) -> str:
        """Return a parameter of the path."""
        return str(self.http.path_params[name])

    def query(self, name: str, default: str = "") -> str:
        """Return a parameter of the query, without the white space around it."""
        return str(self.http.query_params.get(name, default)).strip()

    async def page(
        self,
        template: str,
        context: Mapping[str, Any] | None = None,
        *,
        form: Form | None = None,
        status: int = 200,
    ) -> HTMLResponse:
        """Answer with a page. The session's notice is shown and then forgotten.

        ``form`` is shown instead of what was sent; with errors in it, the status is 422.
        """
        notice = None if self.is_partial else self.session.notice
        if notice is not None:
            await self.sessions.clear_notice(self.session)
        own = {
            "session": self.session,
            "form_token": self.session.form_token,
            "domains": self.domains,
            "notice": notice,
            "form": self.form,
        }
        shown = {**own, **(context or {})}
        if form is not None:
            shown["form"] = form
            status = UNPROCESSABLE if form.is_wrong else status
        return self.layout.render(self.http, template, shown, status)

    async def done(
        self, path: str, message: str, shown_once: Mapping[str, Secret] | None = None
    ) -> Response:
        """Redirect to another page, which shows a ``Notice`` of what was done."""
        await self.sessions.set_notice(self.session, Notice(message, shown_once or {}))
        return self.redirect(path)

    def redirect(self, path: str) -> Response:
        """Redirect to another page of the console."""
        return RedirectResponse(path, SEE_OTHER)


Handler = Callable[[PageRequest], Awaitable[Response]]


@frozen
class Page:
    """A handler for a method and a path (``/console/...``, in Starlette's syntax).

    POST is answered only with the session's form token. GET changes nothing.
    """

    method: str
    path: str
    handler: Handler


class Section(Protocol):
    """A part of the console, which has its pages."""

    def pages(self) -> Sequence[Page]:
        """Return the pages; of those that match a request, the first one answers."""
        ...
