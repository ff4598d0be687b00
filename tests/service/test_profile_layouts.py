"""Layouts of the Go dialect that use a profile which exists already, as they were recorded."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.golden.replay import by_scenario, load
from tests.service.running import ROOT, Running, by_key, embedded

pytestmark = pytest.mark.asyncio(loop_scope="module")

RECORDED = ROOT / "tests" / "data" / "layouts"
NAMES = ["bindings", "first_channel", "layout_name", "missing_slot", "no_bindings", "bad_slot"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    """A service with the recorded layouts, which were edited while it ran to name a profile."""
    directory = tmp_path_factory.mktemp("service")
    layouts = directory / "layouts"
    layouts.mkdir()
    texts = {name: (RECORDED / f"provision-profile_{name}.toml").read_text() for name in NAMES}
    for name, text in texts.items():
        (layouts / f"{name}.toml").write_text(text.replace("profile_id", "# profile_id"))
    async with embedded(directory / "data", MG_PROVISION_LAYOUTS=str(layouts)) as service:
        profile = await make_profile(service)
        before = await digests(service)
        for name, text in texts.items():
            (layouts / f"{name}.toml").write_text(text.replace("{{profile_id}}", profile))
        await picked_up(service, before)
        yield service


async def make_profile(service: Running) -> str:
    rows = by_scenario(load("provision"))["profile_bindings"]
    body = next(row for row in rows if row["id"].endswith(".profile"))["request"]["json"]
    made = await service.http.post(
        f"/{service.domain}/clients/bootstrap/profiles", json=body, headers=service.headers
    )
    assert made.status_code == 201
    return str(made.json()["id"])


async def picked_up(service: Running, before: dict[str, str]) -> None:
    """Wait until the service has noticed the edits."""
    for _ in range(200):
        now = await digests(service)
        if all(now[name] != before[name] for name in NAMES):
            return
        await asyncio.sleep(0.05)
    pytest.fail("the edits were not picked up")


async def digests(service: Running) -> dict[str, str]:
    answer = await service.http.get("/layouts", headers=service.headers)
    return {each["name"]: each["digest"] for each in answer.json()["layouts"]}


async def onboard(service: Running, layout: str) -> Any:
    return await service.map(layout, layout=layout, name=f"gw-profile_{layout}")


@pytest.mark.parametrize("layout", ["bindings", "first_channel"])
async def test_bindings_find_their_resources(running: Running, layout: str) -> None:
    answer = await onboard(running, layout)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    (client,) = made["clients"]
    control = by_key(made["channels"], metadata={"type": "control"})
    data = by_key(made["channels"], metadata={"type": "data"})
    assert json.loads((await running.fetch(layout)).json()["content"]) == {
        "ext": layout,
        "name": f"gw-profile_{layout}",
        "eid": layout,
        "site": "from-layout",
        "user": client["id"],
        "pass": client["credentials"]["secret"],
        "ctrl": control["id"],
        "data": data["id"],
    }


async def test_without_bindings_the_config_waits_for_them(running: Running) -> None:
    assert (await onboard(running, "no_bindings")).status_code == 201
    answer = await running.fetch("no_bindings")
    assert (answer.status_code, answer.json()["code"]) == (409, "not_renderable")


@pytest.mark.parametrize(
    ("layout", "words"),
    [
        ("layout_name", "client"),
        ("missing_slot", "leaves required slots of profile 'agent' unbound: ctrl, data"),
        ("bad_slot", "binds slot 'nope', which profile 'agent' does not have"),
    ],
)
async def test_bindings_that_do_not_fit_are_refused_and_leave_nothing(
    running: Running, layout: str, words: str
) -> None:
    before = await running.left_on_platform()
    answer = await onboard(running, layout)
    assert answer.status_code == 422
    assert words in answer.json()["message"]
    assert await running.left_on_platform() == before
    assert layout not in [each["external_id"] for each in await running.configs()]
