"""The sign-in page, and signing out."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote, unquote

from attrs import frozen
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bootstrap_core.secrets import Secret
from provision.console.errors import ForgedRequest, SignInRefused
from provision.console.forms import Form, read_form
from provision.console.sessions import (
    FIELD,
    GUEST,
    SESSION,
    Cookies,
    check_form_token,
    check_origin,
    form_token,
    new_cookie,
)
from provision.console.visit import SEE_OTHER, Frame
from provision.platform.errors import PlatformError

SIGN_IN: Final = "/console/sign-in"
HOME: Final = "/console"
# A path of the console and nothing that a browser could read as another host's.
OWN_PAGE: Final = re.compile(r"/console(?:[/?][!-\[\]-~]*)?\Z")
PURPOSE: Final = "sign-in"


@frozen
class Entrance:
    """Lets people in and out."""

    frame: Frame
    public_url: str

    async def show(self, request: Request) -> Response:
        """Show the sign-in form."""
        form = Form.of(next=own_page(request.query_params.get("next", "")))
        return self._page(request, form, 200)

    async def sign_in(self, request: Request) -> Response:
        """Open a session, or show the form again with the reason."""
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
            cookie = await self.frame.reception.sign_in(
                form.text("username"), Secret(form.raw("password"))
            )
        except SignInRefused as error:
            return self._page(request, form, 422, error.message)
        except PlatformError as error:
            return self._page(request, form, 503, error.message)
        response = RedirectResponse(own_page(form.text("next")), SEE_OTHER)
        # A session that this browser had before ends with the new one.
        if old := self._cookies.read(request, SESSION):
            await self.frame.reception.sign_out(old)
        self._cookies.write(request, response, SESSION, cookie, None)
        self._cookies.remove(request, response, GUEST)
        return response

    def signed_out(self, request: Request) -> Response:
        """Answer whoever is not signed in: the sign-in page, and afterwards back to the page."""
        wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        back = "" if request.method != "GET" else f"?next={quote(wanted, safe='/')}"
        if "hx-request" in request.headers:
            response = Response(headers={"HX-Redirect": SIGN_IN})
        else:
            response = RedirectResponse(SIGN_IN + back, SEE_OTHER)
        if self._cookies.read(request, SESSION):
            self._cookies.remove(request, response, SESSION)
        return response

    @property
    def _cookies(self) -> Cookies:
        return self.frame.cookies

    def _page(self, request: Request, form: Form, status: int, said: str = "") -> Response:
        guest = self._cookies.read(request, GUEST) or new_cookie()
        context = {
            **self.frame.surroundings(request),
            "form": form,
            "said": said,
            "form_token": form_token(guest, PURPOSE),
        }
        response = self.frame.templates.answer("sign_in.html", status, context)
        self._cookies.write(request, response, GUEST, guest, None)
        return response


NO_COOKIES: Final = "Your browser sent no cookie: allow cookies for this address and sign in again."
OLD_FORM: Final = "This form has expired: please sign in again."


def own_page(wanted: str) -> str:
    """Return the address to go on to after signing in: ``wanted`` where it is the console's."""
    path = unquote(wanted.partition("?")[0])
    leads_away = "//" in path or ".." in path or path.startswith(SIGN_IN)
    is_own = OWN_PAGE.match(wanted) and not leads_away
    return wanted if is_own else HOME


def _missing(form: Form) -> Form | None:
    missing = {
        name: f"Enter your {label}."
        for name, label in (("username", "user name or e-mail address"), ("password", "password"))
        if not form.raw(name)
    }
    return form.wrong(**missing) if missing else None
