"""The console's figures: ``python -m bench gateways``.

What 100,000 gateways make of the time of a page that lists them, against 1,000.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import re
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

from bench.gateway_store import copy_gateways
from bench.load import each_once
from bench.progress import say
from bench.result import Figure, Floor, Result
from bench.service import Served, served

FEW, MANY = 1_000, 100_000
ROUNDS = 21
SLOWER = 10.0
PAGES = {
    "first": "",
    "in the middle": "?offset={middle}",
    "of one layout": "?layout=gateway",
    "part of the external ID": "?search=copy-77",
}
FIGURES = tuple(
    Figure(f"page of {MANY:,} gateways, in one of {FEW:,}: {name}", Floor.ITSELF, most=SLOWER)
    for name in PAGES
)
TOKEN = re.compile(r'name="form_token" value="([^"]+)"')


def run() -> list[Result]:
    """Measure everything; takes a minute."""
    say("pages of gateways")
    with tempfile.TemporaryDirectory() as directory:
        few, many = (_filled(Path(directory) / str(count), count) for count in (FEW, MANY))
        with (
            served(few) as one,
            served(many) as other,
            signed_in(one) as before,
            signed_in(other) as after,
        ):
            return [_page(figure, before, after) for figure in FIGURES]


@contextlib.contextmanager
def signed_in(service: Served) -> Iterator[httpx.Client]:
    """Give a browser, as far as it matters, with a session of the console."""
    with httpx.Client(base_url=service.base_url, follow_redirects=True) as browser:
        form = browser.get("/console/sign-in").text
        token = TOKEN.search(form)
        assert token, form
        account = service.account
        fields = {"username": account.username, "password": account.password}
        page = browser.post("/console/sign-in", data={**fields, "form_token": token[1]})
        assert page.status_code == 200, page.text
        assert "sign-in" not in page.url.path, page.text
        yield browser


def _filled(data: Path, count: int) -> Path:
    with served(data) as service:
        request = list(service.mappings(service.token(), ["first"]))
        done = asyncio.run(each_once(service.port, request, connections=1))
        assert done.statuses == {201: 1}, done.statuses
    asyncio.run(copy_gateways(data, count - 1))
    return data


def _page(figure: Figure, few: httpx.Client, many: httpx.Client) -> Result:
    query = PAGES[figure.name.rpartition(": ")[2]]
    taken: dict[int, list[float]] = {FEW: [], MANY: []}
    browsers = {FEW: few, MANY: many}
    for _, count in itertools.product(range(ROUNDS), browsers):
        started = time.perf_counter()
        answer = browsers[count].get(f"/console/gateways{query.format(middle=count // 2)}")
        taken[count].append(time.perf_counter() - started)
        assert answer.status_code == 200, answer.text
        assert "copy-" in answer.text, answer.text
    small, large = (statistics.median(taken[count]) for count in (FEW, MANY))
    return figure.measured(large / small, f"{large * 1e3:.1f} ms against {small * 1e3:.1f} ms")
