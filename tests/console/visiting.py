"""The console as a browser without script sees it: pages, links, forms, cookies."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from html.parser import HTMLParser
from typing import Any

import httpx
from attrs import define, field

from provision.store.data_directory import DataDirectory
from tests.service.running import BASE, Running


@define
class SeenForm:
    """A form of a page, with what its fields hold."""

    action: str
    values: dict[str, list[str]] = field(factory=dict)


@define
class Visitor:
    """Somebody with a browser that runs no script."""

    http: httpx.AsyncClient
    last: httpx.Response | None = None

    async def open(self, path: str, **headers: str) -> httpx.Response:
        """Go to an address and follow where it leads."""
        self.last = await self.http.get(path, follow_redirects=True, headers=headers)
        return self.last

    def form(self, action: str) -> SeenForm:
        """Return the form of the page that posts to ``action``."""
        assert self.last is not None
        found = [each for each in forms_of(self.last.text) if each.action == action]
        assert found, f"no form posts to {action}"
        return found[0]

    async def send(self, action: str, **fields: str | list[str]) -> httpx.Response:
        """Fill in the form that posts to ``action``, send it, and follow where it leads."""
        values: Mapping[str, Any] = self.form(action).values | fields
        self.last = await self.post(action, values)
        return self.last

    async def post(self, action: str, values: Mapping[str, Any], **headers: str) -> httpx.Response:
        """Send fields as a form, whatever the page shows."""
        return await self.http.post(
            action, data=dict(values), follow_redirects=True, headers=headers
        )

    async def sign_in(self, username: str, password: str, to: str = "") -> httpx.Response:
        """Sign in by way of the form."""
        await self.open("/console/sign-in" + (f"?next={to}" if to else ""))
        return await self.send("/console/sign-in", username=username, password=password)


@contextlib.asynccontextmanager
async def visiting(running: Running, base: str = BASE) -> AsyncIterator[Visitor]:
    """Give a browser of its own cookies."""
    async with httpx.AsyncClient(transport=running.http._transport, base_url=base) as http:
        yield Visitor(http)


def operator(data: Any) -> Mapping[str, str]:
    """Return the operator's name and password."""
    account = DataDirectory(data).read_operator()
    return {"username": account["username"], "password": account["password"]}


def forms_of(page: str) -> list[SeenForm]:
    """Return the forms of a page."""
    reader = _Forms()
    reader.feed(page)
    return reader.forms


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[SeenForm] = []
        self._area: str | None = None
        self._select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        name = given.get("name", "")
        if tag == "form":
            self.forms.append(SeenForm(given.get("action", "")))
        elif tag == "select":
            self._select = name
        elif tag == "option" and "selected" in given:
            self._hold(self._select, given.get("value", ""))
        elif tag == "textarea":
            self._area = name
            self._hold(name, "")
        elif tag == "input" and name and _is_sent(given):
            self._hold(name, given.get("value", ""))

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self._area = None

    def handle_data(self, data: str) -> None:
        if self._area:
            self.forms[-1].values[self._area][-1] += data.removeprefix("\n")

    def _hold(self, name: str, value: str) -> None:
        if self.forms:
            self.forms[-1].values.setdefault(name, []).append(value)


def _is_sent(given: Mapping[str, str]) -> bool:
    kind = given.get("type")
    return kind != "file" and (kind not in ("checkbox", "radio") or "checked" in given)
