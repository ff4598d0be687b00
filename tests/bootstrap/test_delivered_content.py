"""What a device was given, for people: made behind the answer, kept within bounds."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from bootstrap_core.delivery.answers import DeliveredContent, Place, Rendered, RenderedContent
from bootstrap_core.delivery.fetch_log import FetchLog, Room
from bootstrap_core.gotemplate import Template
from bootstrap_core.secrets import MASK
from tests.bootstrap.world import World, given, running
from tests.database import url_of

TEMPLATE = '{"secret": "{{ .Bindings.mqtt.Secret.secret }}"}'
MASKED = f'{{"secret": "{MASK}"}}'


@pytest.fixture
def renderings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Count renderings: the work that a device waits for."""
    made: list[str] = []
    render = Template.render

    def counted(self: Template, *values: Any) -> str:
        made.append(self.name)
        return render(self, *values)

    monkeypatch.setattr(Template, "render", counted)
    return made


@pytest_asyncio.fixture
async def slow_log(tmp_path: Path) -> AsyncIterator[World]:
    """Run a core whose notes are written when a test says so."""
    async with running(tmp_path, fetch_log_seconds=1000.0) as world:
        yield world


async def make_secret(world: World) -> str:
    """Make a config whose content has a client's secret; return its path."""
    slot = {"name": "mqtt", "type": "client", "required": True}
    profile = await world.make(
        "bootstrap/profiles", name="p", content_template=TEMPLATE, binding_slots=[slot]
    )
    config = await world.make(
        "configs", external_id="gw", external_key="key", profile_id=profile["id"]
    )
    bound = {
        "slot": "mqtt",
        "type": "client",
        "resource_id": world.platform.add_client(world.domain),
    }
    path = f"/{{d}}/clients/bootstrap/enrollments/{config['id']}/bindings"
    answer = await world.call("PUT", path, json={"bindings": [bound]})
    assert answer.status_code == 204, answer.text
    return f"/{{d}}/clients/configs/{config['id']}"


async def last_content(world: World, path: str) -> Any:
    return (await world.call("GET", path + "/delivery")).json()["last_fetch"].get("content")


async def test_a_first_fetch_renders_once(slow_log: World, renderings: list[str]) -> None:
    await make_secret(slow_log)
    assert (await slow_log.fetch("gw", "key")).status_code == 200
    assert (await slow_log.fetch("gw", "key")).status_code == 200
    assert len(renderings) == 1


async def test_what_was_given_is_shown_masked_before_and_after_it_is_written(
    slow_log: World,
) -> None:
    path = await make_secret(slow_log)
    await slow_log.fetch("gw", "key")
    assert await last_content(slow_log, path) == MASKED
    await slow_log.core.fetch_log.flush()
    assert await last_content(slow_log, path) == MASKED


async def test_what_was_given_is_shown_though_the_config_is_another_now(slow_log: World) -> None:
    path = await make_secret(slow_log)
    await slow_log.fetch("gw", "key")
    profile = (await slow_log.call("GET", path)).json()["profile_id"]
    change = {"content_template": '{"new": 1}'}
    of_profile = f"/{{d}}/clients/bootstrap/profiles/{profile}"
    assert (await slow_log.call("PATCH", of_profile, json=change)).is_success
    assert await last_content(slow_log, path) == MASKED
    await slow_log.core.fetch_log.flush()
    assert await last_content(slow_log, path) == MASKED
    await slow_log.fetch("gw", "key")
    assert '"new"' in await last_content(slow_log, path)


async def test_what_the_store_has_already_is_not_made_again(
    slow_log: World, renderings: list[str]
) -> None:
    await make_secret(slow_log)
    await slow_log.fetch("gw", "key")
    await slow_log.core.fetch_log.flush()
    made = len(renderings)
    slow_log.core.delivery._rendered = RenderedContent()
    await slow_log.fetch("gw", "key")
    await slow_log.core.fetch_log.flush()
    assert len(renderings) == made + 1


async def test_a_content_that_can_not_be_made_holds_no_other_up(world: World) -> None:
    async def broken() -> str:
        raise ZeroDivisionError

    ids = [(await world.make("configs", external_id=f"g{n}", external_key="k"))["id"] for n in "12"]
    log = FetchLog(world.engine)
    log.note(ids[0], "delivered", "a" * 64, DeliveredContent(broken, 10))
    log.note(ids[1], "delivered", "b" * 64, given("shown"))
    await log.flush()
    assert await last_content(world, f"/{{d}}/clients/configs/{ids[1]}") == "shown"


def test_what_is_held_for_people_counts_until_the_store_has_it() -> None:
    kept = RenderedContent(limit=50_000)
    held = [given("x" * 4000) for _ in range(12)]
    for number, content in enumerate(held):
        kept.keep(Place(f"gw-{number}"), _rendered(content))
    assert len(kept) == 10
    for content in held:
        content.let_go()
    for number in range(12, 100):
        content = given("x" * 4000)
        kept.keep(Place(f"gw-{number}"), _rendered(content))
        content.let_go()
    assert len(kept) > 40


class TestWhileTheStoreFails:
    """The log keeps what it has room for, and says once that something is wrong."""

    @pytest.mark.parametrize("room", [Room(notes=10), Room(size=10 * 1500)])
    async def test_the_oldest_notes_give_way(
        self, tmp_path: Path, room: Room, caplog: pytest.LogCaptureFixture
    ) -> None:
        engine = create_async_engine(url_of(tmp_path / "empty.db"))
        log = FetchLog(engine, room=room)
        for number in range(100):
            log.note(f"config-{number}", "delivered", "d" * 64, given("x" * 1000))
        assert [n for n in range(100) if log.pending(f"config-{n}")] == list(range(90, 100))
        assert log.dropped == 90
        assert len(caplog.records) == 1
        with pytest.raises(DBAPIError):
            await log.stop()
        await engine.dispose()

    async def test_asking_again_and_again_takes_no_more_room(self, world: World) -> None:
        log = FetchLog(world.engine, room=Room(size=10_000))
        for _ in range(1000):
            log.note("config", "delivered", "d" * 64, given("x" * 5000))
        assert log.dropped == 0

    async def test_it_goes_on_after_any_error(
        self, world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        made = await world.make("configs", external_id="gw", external_key="k")
        failures = iter(range(3))
        put = FetchLog._put

        async def failing(self: FetchLog, *values: Any) -> Any:
            if next(failures, None) is not None:
                raise RuntimeError("not what a store raises")
            return await put(self, *values)

        monkeypatch.setattr(FetchLog, "_put", failing)
        log = FetchLog(world.engine, seconds=0.001)
        log.note(made["id"], "delivered", "d" * 64)
        with caplog.at_level(logging.ERROR):
            log.start()
            async with asyncio.timeout(5):
                while log.pending(made["id"]):  # noqa: ASYNC110 - the log tells nobody
                    await asyncio.sleep(0.001)
        await log.stop()
        assert [record.levelname for record in caplog.records] == ["ERROR"]
        assert next(failures, None) is None


def _rendered(content: DeliveredContent) -> Rendered:
    return Rendered("config", "r", "", b"", "d" * 64, content)
