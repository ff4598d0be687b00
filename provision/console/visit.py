"""One request of a signed-in user: who it is, the API to ask, the pages to answer with."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from attrs import frozen
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from bootstrap_core.secrets import Secret
from provision.console.api import Api
from provision.console.forms import Form
from provision.console.reception import Reception
from provision.console.rendering import Templates
from provision.console.sessions import Cookies, Notice, Session
from provision.platform.types import Domain


@frozen
class Entry:
    """A part: where it is, what it is called, and what it is for."""

    path: str
    label: str
    purpose: str


ENTRIES: Final[Sequence[Entry]] = (
    Entry("/console/gateways", "Gateways", "Every gateway, its state, and what you can do with it"),
    Entry("/console/onboard", "Onboard", "Bring a new gateway onto the platform"),
    Entry("/console/bootstraps", "Bootstraps", "What each device fetches when it starts"),
    Entry("/console/profiles", "Profiles", "Templates of device configurations"),
    Entry("/console/layouts", "Layouts", "Which clients and channels a gateway has"),
    Entry("/console/onboardings", "Onboardings", "The journal: what was done, and by whom"),
)


def navigation(paths: Collection[str]) -> Sequence[Entry]:
    """Return the entries whose pages are among ``paths``."""
    return [entry for entry in ENTRIES if entry.path in paths]


SEE_OTHER: Final = 303
UNPROCESSABLE: Final = 422


@frozen
class Frame:
    """What stands around every page."""

    templates: Templates
    cookies: Cookies
    reception: Reception
    navigation: Sequence[Entry]

    def surroundings(self, request: Request) -> dict[str, Any]:
        """Return what the base template needs for anyone."""
        return {
            "path": request.url.path,
            "theme": self.cookies.theme(request),
            "navigation": self.navigation,
            "request_id": request.scope.get("request_id", ""),
        }


@frozen
class Visit:
    """What a page's handler is given. ``form`` is what was sent; empty for GET."""

    request: Request
    session: Session
    api: Api
    form: Form
    frame: Frame
    domains: Sequence[Domain]

    @property
    def token(self) -> Secret:
        """The user's token at the platform."""
        return self.session.credentials.access

    @property
    def is_partial(self) -> bool:
        """Whether htmx asks, which takes a part of the page."""
        return "hx-request" in self.request.headers

    def path(self, name: str) -> str:
        """Return a parameter of the path."""
        return str(self.request.path_params[name])

    def query(self, name: str, default: str = "") -> str:
        """Return a parameter of the address, without the white space around it."""
        return str(self.request.query_params.get(name, default)).strip()

    async def page(
        self,
        template: str,
        context: Mapping[str, Any] | None = None,
        *,
        status: int = 200,
    ) -> HTMLResponse:
        """Answer with a page; the notice that waits for it is shown now and forgotten."""
        notice = None if self.is_partial else self.session.notice
        if notice is not None:
            await self.frame.reception.told(self.session)
        whole = {
            **self.frame.surroundings(self.request),
            "session": self.session,
            "form_token": self.session.form_token,
            "domains": self.domains,
            "notice": notice,
            "form": self.form,
            **(context or {}),
        }
        return self.frame.templates.answer(template, status, whole)

    async def form_again(
        self, template: str, form: Form, context: Mapping[str, Any] | None = None
    ) -> HTMLResponse:
        """Answer with the form's page, its errors shown."""
        return await self.page(template, {**(context or {}), "form": form}, status=UNPROCESSABLE)

    async def done(
        self, path: str, said: str, shown_once: Mapping[str, Secret] | None = None
    ) -> Response:
        """Go on to another page, which says what was done; see ``Notice`` for what it shows."""
        await self.frame.reception.tell(self.session, Notice(said, shown_once or {}))
        return self.to(path)

    def to(self, path: str) -> Response:
        """Go on to another page of the console."""
        return RedirectResponse(path, SEE_OTHER)
