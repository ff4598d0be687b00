"""What devices of all releases send, and what counts as a fetch."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from typing import Any

import pytest

from tests.bootstrap.world import World, app_of

PLAIN, THING = "/clients/bootstrap/gw", "/things/bootstrap/gw"


async def ask(world: World, path: str, shown: str, method: str = "GET") -> Any:
    return await world.http.request(method, path, headers={"Authorization": shown})


class TestHeader:
    @pytest.mark.parametrize(
        ("path", "shown"),
        [
            (PLAIN, "Client a key"),
            (PLAIN, "client a key"),
            (PLAIN, "CLIENT  a key"),
            (PLAIN, "Client a key  "),
            (PLAIN, "Client\ta key \t"),
            (THING, "a key"),
            (THING, "a key \t"),
            (THING, "Thing a key"),
            (THING, "thing  a key "),
        ],
    )
    async def test_blanks_around_it_and_the_case_of_the_scheme_say_nothing(
        self, world: World, path: str, shown: str
    ) -> None:
        await world.make("configs", external_id="gw", external_key="a key")
        assert (await ask(world, path, shown)).status_code == 200

    @pytest.mark.parametrize("shown", ["", "Client", "Client ", "Clienta key", "a key", "Thing x"])
    async def test_what_has_no_key_after_the_scheme(self, world: World, shown: str) -> None:
        await world.make("configs", external_id="gw", external_key="a key")
        assert (await ask(world, PLAIN, shown)).status_code == 401

    async def test_the_secure_route_reads_it_alike(self, world: World) -> None:
        await world.make("configs", external_id="gw", external_key="k")
        transport = world.core._transport
        assert transport is not None
        for path, scheme in (("/clients", "client  "), ("/things", "Thing "), ("/things", "")):
            shown = scheme + transport.encrypt(b"k").hex()
            assert (await ask(world, f"{path}/bootstrap/secure/gw", shown)).status_code == 200


class TestThings:
    async def test_devices_of_every_release_find_their_fields(self, world: World) -> None:
        channel = "6f4f0d1c-4a0c-4f0a-9d3b-1f2f3a4b5c6d"
        body = {"external_id": "gw", "external_key": "key", "channels": [channel], "content": "{}"}
        made = await world.call("POST", "/things/configs", json=body)
        assert made.status_code == 201
        got = (await ask(world, THING, "Thing key")).json()
        assert got == (await ask(world, THING, "key")).json()
        assert got["mainflux_id"] == got["thing_id"] == made.json()["thing_id"]
        assert got["mainflux_key"] == got["thing_key"] != ""
        assert got["mainflux_channels"] == got["channels"]
        assert [each["id"] for each in got["channels"]] == [channel]
        assert set(got["channels"][0]) == {"id", "name", "metadata"}


async def last_fetch(world: World, config_id: str) -> Any:
    view = await world.call("GET", f"/{{d}}/clients/configs/{config_id}")
    return view.json().get("last_fetch")


class TestWhatIsAFetch:
    @pytest.mark.parametrize("path", [PLAIN, THING])
    async def test_head_tells_of_the_answer_and_is_no_fetch(self, world: World, path: str) -> None:
        shown = "Client key" if path == PLAIN else "Thing key"
        made = await world.make("configs", external_id="gw", external_key="key", content="c")
        head = await ask(world, path, shown, "HEAD")
        assert (head.status_code, head.content) == (200, b"")
        assert await last_fetch(world, made["id"]) is None
        got = await ask(world, path, shown)
        assert head.headers == got.headers
        assert (await last_fetch(world, made["id"]))["outcome"] == "delivered"

    async def test_head_of_a_disabled_config_is_not_noted(self, world: World) -> None:
        made = await world.make("configs", external_id="gw", external_key="key")
        await world.call("POST", f"/{{d}}/clients/configs/{made['id']}/disable")
        assert (await ask(world, PLAIN, "Client key", "HEAD")).status_code == 403
        assert await last_fetch(world, made["id"]) is None

    @pytest.mark.parametrize("secure", [False, True])
    async def test_an_answer_that_the_client_did_not_wait_for_is_none(
        self, world: World, *, secure: bool
    ) -> None:
        made = await world.make("configs", external_id="gw", external_key="key", content="c")
        transport = world.core._transport
        assert transport is not None
        key = transport.encrypt(b"key").hex() if secure else "key"
        path = "/clients/bootstrap/secure/gw" if secure else PLAIN
        await asgi_get(world, path, f"Client {key}", gone=True)
        assert (await last_fetch(world, made["id"]))["outcome"] == "interrupted"
        sent = await asgi_get(world, path, f"Client {key}", gone=False)
        assert (await last_fetch(world, made["id"]))["outcome"] == "delivered"
        assert sent[-1] == {"type": "http.response.body", "body": b""}


async def asgi_get(world: World, path: str, shown: str, *, gone: bool) -> list[Any]:
    """Ask as a server does whose client stays or goes; return what was sent."""
    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"authorization", shown.encode())],
        "client": ("10.0.0.1", 1),
    }
    coming = [{"type": "http.request", "body": b"", "more_body": False}]
    sent: list[Any] = []

    async def receive() -> MutableMapping[str, Any]:
        if coming:
            return coming.pop()
        if not gone:
            await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    await app_of(list(world.core.routes()))(scope, receive, send)
    return sent
