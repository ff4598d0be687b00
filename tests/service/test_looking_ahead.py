"""While the platform is asked who is calling, the body is read and the gateway looked at."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.service.running import KEY, Running, answered, beside_platform

SITE_LAYOUT = """
[parameters.site]
type = "string"
required = true

[[clients]]
key = "agent"
name = "{{ .Vars.site }}-{{ .ExternalID }}"

[[channels]]
key = "data"
name = "{{ .ExternalID }}-data"
"""


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    async with beside_platform(tmp_path) as running:
        yield running


async def test_a_gateway_made_while_its_caller_is_identified_is_taken_as_it_is(
    running: Running,
) -> None:
    asked, released = asyncio.Event(), asyncio.Event()

    async def held(request: httpx.Request, inner: httpx.AsyncBaseTransport) -> httpx.Response:
        asked.set()
        await released.wait()
        return await inner.handle_async_request(request)

    assert running.wire
    running.wire.fail("GET", "/domains/", held, times=1)
    slow = asyncio.create_task(running.map())
    await asked.wait()
    quick = await running.map()
    released.set()
    answer = await slow
    assert (quick.status_code, answer.status_code) == (201, 200)
    assert answer.json()["onboarding"]["outcome"] == "reused"
    assert answer.json()["clients"] == quick.json()["clients"]
    assert len((await running.left_on_platform())["clients"]) == 1


async def test_a_domain_that_the_platform_calls_otherwise_is_the_one_it_names(
    running: Running,
) -> None:
    assert running.wire
    domain = await running.platform.get(f"/domains/{running.domain}", headers=running.headers)
    running.wire.fail("GET", "/domains/factory", answered(200, domain.json()))
    body = {"external_id": "gw-1", "external_key": KEY}
    made = await running.http.post("/factory/mapping", json=body, headers=running.headers)
    assert made.status_code == 201
    assert {each["domain_id"] for each in made.json()["clients"]} == {running.domain}
    assert (await running.get("/mapping/gw-1"))["onboarding"]["state"] == "done"


async def test_a_stranger_learns_nothing_of_a_gateway_or_a_layout(running: Running) -> None:
    await running.map("known")
    stranger = {"Authorization": "Bearer not.a.token"}
    answers = [
        await running.http.post(
            f"/{running.domain}/mapping",
            json={"external_id": external_id, "external_key": KEY, "parameters": parameters},
            headers=stranger,
        )
        for external_id, parameters in (("known", {}), ("new", {}), ("new", {"nonsense": 1}))
    ]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.json()["message"] for answer in answers}) == 1
    page = await running.get("/onboardings")
    assert [each["external_id"] for each in page["onboardings"]] == ["known"]


@pytest.mark.slow
async def test_a_stranger_is_refused_before_the_body_is_there(running: Running) -> None:
    async def never() -> AsyncIterator[bytes]:
        await asyncio.Event().wait()
        yield b""

    request = running.http.post(
        f"/{running.domain}/mapping",
        content=never(),
        headers={"Authorization": "Bearer not.a.token", "Content-Type": "application/json"},
    )
    assert (await asyncio.wait_for(request, 10)).status_code == 401


async def test_a_kept_answer_is_given_again_whatever_the_layout_says_now(tmp_path: Path) -> None:
    layouts = tmp_path / "layouts"
    layouts.mkdir()
    file = layouts / "site.toml"
    file.write_text(SITE_LAYOUT.replace("required = true", 'default = "north"'))
    environment = {"MG_PROVISION_LAYOUTS": str(layouts)}
    async with beside_platform(tmp_path / "run", **environment) as running:

        async def onboard(query: str = "") -> httpx.Response:
            return await running.http.post(
                f"/{running.domain}/mapping{query}",
                json={"external_id": "gw-1", "external_key": KEY, "layout": "site"},
                headers=running.headers | {"Idempotency-Key": "k"},
            )

        first = await onboard()
        assert first.status_code == 201
        await running.http.delete(f"/{running.domain}/mapping/gw-1", headers=running.headers)
        file.write_text(SITE_LAYOUT)
        async with asyncio.timeout(10):
            # The file is read every now and then.
            while (await onboard("?dry_run=true")).status_code != 400:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        again = await onboard()
        assert (again.status_code, again.json()) == (201, first.json())


async def test_a_gateway_that_is_there_needs_no_parameters_to_be_asked_for_again(
    tmp_path: Path,
) -> None:
    layouts = tmp_path / "layouts"
    layouts.mkdir()
    (layouts / "site.toml").write_text(SITE_LAYOUT)
    environment = {"MG_PROVISION_LAYOUTS": str(layouts)}
    async with beside_platform(tmp_path / "run", **environment) as running:
        missing = await running.map(layout="site")
        assert missing.status_code == 400
        assert "site" in missing.json()["message"]
        made = await running.map(layout="site", parameters={"site": "north"})
        assert made.status_code == 201
        again = await running.map(layout="site")
        assert again.status_code == 200
        assert again.json()["clients"] == made.json()["clients"]
