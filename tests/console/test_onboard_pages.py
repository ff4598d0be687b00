"""Onboarding by forms alone: nothing twice, errors in words, the key once. No browser is needed."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from bootstrap_core.model import utc_now
from bootstrap_core.secrets import Secret
from provision.console.errors import ConsoleError, TooManyJobs
from provision.console.forms import Form
from provision.console.onboard import AT_ONCE, JOB_TTL, BackgroundJobs
from tests.console.visiting import Visitor, operator, visiting
from tests.service.running import Running

PLAN = "/console/onboard/plan"
START = "/console/onboard/start"


async def planned(visitor: Visitor, external_id: str = "gw-1", **fields: str) -> httpx.Response:
    await visitor.open(f"/console/onboard?layout={fields.pop('layout', 'gateway')}")
    return await visitor.send(PLAN, external_id=external_id, **fields)


async def arrived(visitor: Visitor) -> httpx.Response:
    """Load the page again, as it asks for, until it is another one."""
    answer = visitor.last
    assert answer is not None
    for _ in range(200):
        if 'http-equiv="refresh"' not in answer.text:
            return answer
        await asyncio.sleep(0.05)
        answer = await visitor.open(str(answer.url))
    raise AssertionError("it did not get on")


async def rows(running: Running) -> list[Any]:
    return list((await running.get("/onboardings"))["onboardings"])


async def test_a_key_that_the_service_makes_is_shown_once(
    visitor: Visitor, running: Running
) -> None:
    plan = await planned(visitor)
    assert "The service has made the external key" in plan.text
    assert "(secret of agent)" in plan.text
    assert await rows(running) == []
    await visitor.send(START)
    done = await arrived(visitor)
    assert done.url.path.startswith("/console/onboard/result/")
    key = re.findall(r'<code id="once-external-key"[^>]*>([^<]+)</code>', done.text)[0]
    assert f"Authorization: Client {key}&#39;" in done.text
    fetched = await running.fetch("gw-1", key)
    assert fetched.status_code == 200
    again = await visitor.open(str(done.url))
    assert again.status_code == 200
    assert key not in again.text
    assert "Authorization: Client &lt;external key&gt;" in again.text
    # The drawing that a camera reads is of the address alone.
    assert "/clients/bootstrap/gw-1" in again.text
    assert again.text.count("data:image/svg+xml") == 1


async def test_a_gateway_of_nearly_the_same_id_is_hinted_at(
    visitor: Visitor, running: Running
) -> None:
    await running.map("GW-1")
    await planned(visitor, external_key="key-1")
    await visitor.send(START)
    assert "there is also &#39;GW-1&#39;" in (await arrived(visitor)).text


@pytest.mark.slow
async def test_a_form_sent_twice_makes_one_gateway(visitor: Visitor, running: Running) -> None:
    await planned(visitor, external_key="key-1")
    values = visitor.form(START).values
    first, second = await asyncio.gather(visitor.post(START, values), visitor.post(START, values))
    assert {each.status_code for each in (first, second)} == {200}
    visitor.last = first
    done = await arrived(visitor)
    visitor.last = await visitor.post(START, values)
    assert (await arrived(visitor)).url == done.url
    assert len(await rows(running)) == 1
    assert "was there already" not in visitor.last.text


@pytest.mark.slow
async def test_the_platforms_refusal_is_said_and_the_form_comes_back(visitor: Visitor) -> None:
    await planned(visitor, external_key="key-1", on_existing="fail")
    await visitor.send(START)
    await arrived(visitor)
    plan = await planned(visitor, external_key="key-1", on_existing="fail", name="Pump 7")
    assert "you chose to refuse one that does" in plan.text
    await visitor.send(START)
    failed = await arrived(visitor)
    assert "gw-1 was not onboarded" in failed.text
    assert "exists" in failed.text
    assert failed.text == (await visitor.open(str(failed.url))).text
    again = await visitor.send("/console/onboard")
    assert visitor.form(PLAN).values["name"] == ["Pump 7"]
    assert visitor.form(PLAN).values["on_existing"] == ["fail"]
    assert again.status_code == 200
    plan = await visitor.send(PLAN, external_key="", on_existing="reuse")
    assert "change the form and give that key" in plan.text
    await visitor.send(START)
    assert "exists with another external key" in (await arrived(visitor)).text


@pytest.mark.slow
async def test_what_is_wrong_stands_at_its_field(visitor: Visitor) -> None:
    refused = await planned(visitor, "", layout="lora-gateway", parameter_region="Mars")
    assert refused.status_code == 422
    assert 'id="error-external_id"' in refused.text
    refused = await visitor.send(PLAN, external_id="gw-1", parameter_region="Mars")
    assert 'id="error-parameter_region"' in refused.text
    assert "EU868" in refused.text
    assert 'id="error-parameter_application_id"' in refused.text
    plan = await visitor.send(PLAN, parameter_region="EU868", parameter_application_id="app-1")
    assert "app-1" in plan.text
    changed = await visitor.send("/console/onboard")
    assert changed.status_code == 200
    assert visitor.form(PLAN).values["parameter_application_id"] == ["app-1"]
    assert visitor.form(PLAN).values["external_key"] == [""]


async def test_what_is_made_is_watched_by_its_own_session_alone(
    visitor: Visitor, running: Running, tmp_path: Path
) -> None:
    await planned(visitor)
    values = visitor.form(START).values
    await visitor.post(START, values)
    path = f"/console/onboard/watch/{values['request_id'][0]}"
    async with visiting(running) as another:
        await another.sign_in(**operator(tmp_path))
        lost = await another.open(path)
        assert lost.status_code == 404
        assert "This page has expired" in lost.text
        assert (await another.open(path + "/events")).status_code == 204
    events = await visitor.open(path + "/events")
    assert events.headers["content-type"].startswith("text/event-stream")
    assert events.text.rstrip().endswith('event: done\ndata: ""')
    assert "Done" in events.text
    assert "script" not in events.text


async def test_background_jobs_are_bounded_and_forgotten() -> None:
    now = [utc_now()]
    known = BackgroundJobs(lambda: now[0])
    never = asyncio.Event()

    async def wait() -> dict[str, Any]:
        await never.wait()
        return {}

    async def fail() -> dict[str, Any]:
        raise KeyError("a detail")

    def begin(name: str, session: str = "s") -> Any:
        return known.start((session, name), "gw", Secret("hidden-key"), Form(), wait)

    first = begin("0")
    assert begin("0") is first
    for number in range(1, AT_ONCE):
        begin(str(number))
    with pytest.raises(TooManyJobs):
        begin("one more")
    assert begin("one more", "another session").result is None
    failed = known.start(("third", "x"), "gw", Secret("hidden-key"), Form(), fail)
    await asyncio.wait({failed.work})
    assert isinstance(failed.result, ConsoleError)
    assert "a detail" not in failed.result.message
    assert known.find("s", "0") is first
    assert known.find("t", "0") is None
    assert "hidden" not in repr(first)
    now[0] += JOB_TTL + timedelta(seconds=1)
    assert known.find("s", "0") is None
    await asyncio.wait({first.work})
    left = begin("later")
    await known.close()
    assert left.work.cancelled()
