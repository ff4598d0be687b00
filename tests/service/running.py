"""The service running in this process: alone, or beside a platform of its own that can fail."""

from __future__ import annotations

import atexit
import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
from attrs import define, field, frozen

from provision.app import Service, open_service
from provision.onboarding.clock import Timing
from provision.settings_reader import load
from provision.store.data_directory import DataDirectory
from tests import database

ROOT = Path(__file__).parents[2]
ALL_LAYOUTS = {"MG_PROVISION_LAYOUTS": str(ROOT / "layouts")}
BASE = "http://service"
KEY = "device-key-1"
QUICK = Timing(visible_after=0.15, settled_after=0.3, answer_after=1.0, look_after=0.2)
Fault = Callable[[httpx.Request, Callable[[], Any]], Any]


@frozen
class Running:
    """A running service, its operator's domain and token, and what is behind it."""

    http: httpx.AsyncClient
    platform: httpx.AsyncClient
    domain: str
    token: str
    wire: FaultyWire | None = None

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    async def map(self, external_id: str = "gw-1", **fields: Any) -> httpx.Response:
        body = {"external_id": external_id, "external_key": KEY} | fields
        return await self.http.post(f"/{self.domain}/mapping", json=body, headers=self.headers)

    async def fetch(self, external_id: str = "gw-1", key: str = KEY) -> httpx.Response:
        return await self.http.get(
            f"/clients/bootstrap/{quote(external_id, safe='')}",
            headers={"Authorization": f"Client {key}"},
        )

    async def get(self, path: str) -> Any:
        answer = await self.http.get(f"/{self.domain}{path}", headers=self.headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def left_on_platform(self) -> dict[str, list[str]]:
        """Return the names of all clients and channels that the platform holds."""
        left = {}
        for kind in ("clients", "channels"):
            path = f"/{self.domain}/{kind}?limit=100&status=all&order=name&dir=asc"
            page = (await self.platform.get(path, headers=self.headers)).json()
            left[kind] = [each["name"] for each in page.get(kind, [])]
        return left

    async def configs(self) -> list[Any]:
        page = await self.get("/clients/configs?status=all&limit=100")
        return list(page["configs"])

    async def nothing_is_there(self) -> bool:
        left = await self.left_on_platform()
        return left == {"clients": [], "channels": []} and await self.configs() == []


@define
class FaultyWire(httpx.AsyncBaseTransport):
    """The way to the platform; ``faults`` are asked in turn what to do with a request."""

    inner: httpx.AsyncBaseTransport
    faults: list[FaultRule] = field(factory=list)
    calls: list[str] = field(factory=list)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.calls.append(f"{request.method} {request.url.path}")
        for fault in self.faults:
            if fault.concerns(request):
                return await fault.behave(request, self.inner)
        return await self.inner.handle_async_request(request)

    def fail(self, method: str, part: str, how: Behaviour, times: int = 1_000) -> None:
        """Let requests of this method whose path has ``part`` fail in this way."""
        self.faults.append(FaultRule(method, part, how, times))


@define
class FaultRule:
    """One kind of failure for one kind of request."""

    method: str
    part: str
    how: Behaviour
    times: int

    def concerns(self, request: httpx.Request) -> bool:
        if not self.times or request.method != self.method or self.part not in request.url.path:
            return False
        self.times -= 1
        return True

    async def behave(
        self, request: httpx.Request, inner: httpx.AsyncBaseTransport
    ) -> httpx.Response:
        return await self.how(request, inner)


Behaviour = Callable[[httpx.Request, httpx.AsyncBaseTransport], Any]


async def refused(request: httpx.Request, _: httpx.AsyncBaseTransport) -> httpx.Response:
    raise httpx.ConnectError("refused", request=request)


async def timed_out(request: httpx.Request, _: httpx.AsyncBaseTransport) -> httpx.Response:
    raise httpx.ReadTimeout("too slow", request=request)


async def timed_out_when_done(
    request: httpx.Request, inner: httpx.AsyncBaseTransport
) -> httpx.Response:
    await (await inner.handle_async_request(request)).aread()
    raise httpx.ReadTimeout("too slow", request=request)


async def failed_when_done(
    request: httpx.Request, inner: httpx.AsyncBaseTransport
) -> httpx.Response:
    await (await inner.handle_async_request(request)).aread()
    return httpx.Response(500, json={"message": "injected"}, request=request)


def answered(status: int, body: Any = None) -> Behaviour:
    async def behave(request: httpx.Request, _: httpx.AsyncBaseTransport) -> httpx.Response:
        if isinstance(body, bytes):
            return httpx.Response(status, content=body, request=request)
        return httpx.Response(status, json=body or {"message": "injected"}, request=request)

    return behave


@cache
def usual_layouts() -> str:
    """Return a directory with some of the layouts: to read all of them is a third of a start."""
    directory = Path(tempfile.mkdtemp(prefix="layouts-"))
    atexit.register(shutil.rmtree, directory)
    for name in ("config", "gateway", "gateway-export", "mainflux", "mtls-services"):
        for file in (ROOT / "layouts").glob(f"{name}.*"):
            shutil.copy(file, directory)
    shutil.copytree(ROOT / "layouts" / "fragments", directory / "fragments")
    return str(directory)


@contextlib.asynccontextmanager
async def open_client(service: Service) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(service.app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=BASE, timeout=60) as http:
        yield http


@contextlib.asynccontextmanager
async def embedded(data: Path, **environment: str) -> AsyncIterator[Running]:
    """Run the service on its embedded platform."""
    variables = {"MG_PROVISION_DATA": str(data), "MG_PROVISION_LAYOUTS": usual_layouts()}
    loaded = load(variables | database.environment(data) | environment, {})
    database.with_schema(data / database.FILE)
    async with open_service(loaded, BASE) as service, open_client(service) as http:
        token = await sign_in(http, data)
        yield Running(http, http, service.operator_domain, token)


@contextlib.asynccontextmanager
async def beside_platform(directory: Path, **environment: str) -> AsyncIterator[Running]:
    """Run the service beside a platform that it reaches over HTTP, on a wire that can fail."""
    async with embedded(directory / "platform") as platform:
        inner = platform.http._transport
        assert isinstance(inner, httpx.ASGITransport)
        wire = FaultyWire(inner)
        names = ("CLIENTS", "CHANNELS", "USERS", "DOMAINS")
        urls = {f"MG_PROVISION_{name}_URL": "http://platform" for name in names}
        async with beside(directory / "service", wire, platform, **urls, **environment) as running:
            yield running


@contextlib.asynccontextmanager
async def beside(
    data: Path, wire: FaultyWire, platform: Running, **environment: str
) -> AsyncIterator[Running]:
    """Run the service on a wire that is there already."""
    variables = {"MG_PROVISION_DATA": str(data), "MG_PROVISION_LAYOUTS": usual_layouts()}
    loaded = load(variables | database.environment(data) | environment, {})
    database.with_schema(data / database.FILE)
    async with open_service(loaded, BASE, wire, QUICK) as service, open_client(service) as http:
        yield Running(http, platform.http, platform.domain, platform.token, wire)


async def sign_in(http: httpx.AsyncClient, data: Path) -> str:
    account = DataDirectory(data).read_operator()
    body = {"username": account["username"], "password": account["password"]}
    answer = await http.post("/users/tokens/issue", json=body)
    return str(answer.json()["access_token"])


def by_key(items: Sequence[Mapping[str, Any]], **wanted: Any) -> Mapping[str, Any]:
    """Return the one item that has these values."""
    (found,) = (each for each in items if wanted.items() <= each.items())
    return found
