"""Pages about gateways and onboardings, as a browser without script sees them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.console.visiting import Visitor, operator, visiting
from tests.service.running import KEY, Running, answered, beside_platform


def shown_key(page: str) -> str:
    found = re.search(r'id="once-external-key"[^>]*>([^<]+)<', page)
    assert found, "no external key is shown"
    return found[1]


@pytest.mark.slow
async def test_the_list_is_filtered_and_paged(running: Running, visitor: Visitor) -> None:
    empty = await visitor.open("/console/gateways")
    assert "No gateway has been onboarded yet" in empty.text
    for number in range(21):
        await running.map(f"gw/{number:02}")
    first = await visitor.open("/console/gateways")
    assert "of 21" in first.text
    assert "gw/20" not in first.text
    second = await visitor.open("/console/gateways?offset=20")
    assert 'href="/console/gateways/gw%2F20"' in second.text
    found = await visitor.open("/console/gateways?search=GW/07&state=done&layout=gateway")
    assert "of 1<" in found.text
    assert "364 days" in found.text
    nothing = await visitor.open("/console/gateways?state=stuck")
    assert "No gateway matches" in nothing.text
    refused = await visitor.open("/console/gateways?state=odd")
    assert refused.status_code == 400
    assert "one of planned" in refused.text


@pytest.mark.slow
async def test_one_gateway_shows_what_there_is_to_know(running: Running, visitor: Visitor) -> None:
    made = (await running.map("a/b")).json()
    before = await visitor.open("/console/gateways/a%2Fb")
    assert "The device has not fetched it yet" in before.text
    await running.fetch("a/b")
    page = await visitor.open("/console/gateways/a%2Fb")
    assert "The device would get the same configuration now" in page.text
    assert "What it fetched last" in page.text
    secret = made["clients"][0]["credentials"]["secret"]
    assert secret not in page.text
    for resource in (*made["clients"], *made["channels"]):
        assert resource["id"] in page.text
    assert "onboard" in page.text
    shown = await visitor.send("/console/gateway/configuration/a%2Fb")
    assert "BEGIN PRIVATE KEY" in shown.text or "BEGIN EC PRIVATE KEY" in shown.text
    await running.map("a/b", on_existing="rotate")
    after = await visitor.open("/console/gateways/a%2Fb")
    assert "The device would get a different configuration now" in after.text
    assert "Only secrets, keys or certificates differ" in after.text


async def test_what_was_fetched_is_compared_with_what_it_would_be(
    running: Running, visitor: Visitor
) -> None:
    made = (await running.map()).json()
    secret = made["clients"][0]["credentials"]["secret"]
    await running.fetch()
    place = f"/{running.domain}/clients/bootstrap/profiles/{made['bootstrap']['profile_id']}"
    template = '{"secret": "{{ .Bindings.mqtt_client.Secret.secret }}", "new": true}'
    changed = await running.http.patch(
        place, json={"content_template": template}, headers=running.headers
    )
    assert changed.status_code == 200, changed.text
    await running.fetch(key="wrong")
    page = await visitor.open("/console/gateways/gw-1")
    assert "What the next fetch would remove (-) and add (+)" in page.text
    assert "&#34;new&#34;: true" in page.text
    assert secret not in page.text


@pytest.mark.slow
async def test_a_service_that_does_not_compare_says_so(running: Running, visitor: Visitor) -> None:
    await running.map()
    page = await visitor.open("/console/gateway/drift/gw-1")
    assert page.status_code == 200
    part = await visitor.open("/console/gateway/drift/gw-1?as=mark", **{"hx-request": "true"})
    assert part.status_code == 200
    assert "<html" not in part.text
    assert 'class="badge' in part.text


async def test_a_repair_brings_back_what_is_gone(running: Running, visitor: Visitor) -> None:
    made = (await running.map()).json()
    client = made["clients"][0]
    path = f"/{running.domain}/clients/{client['id']}"
    await running.http.delete(path, headers=running.headers)
    asked = await visitor.open("/console/gateway/repair/gw-1")
    assert client["name"] in asked.text
    done = await visitor.send("/console/gateway/repair/gw-1")
    assert "is repaired" in done.text
    assert (await running.http.get(path, headers=running.headers)).status_code == 200


@pytest.mark.slow
async def test_a_rotation_shows_the_new_key_this_once(running: Running, visitor: Visitor) -> None:
    await running.map()
    await visitor.open("/console/gateway/rotate/gw-1")
    filled = await visitor.send("/console/gateway/rotate/gw-1", generate="yes")
    assert filled.status_code == 200
    (generated,) = visitor.form("/console/gateway/rotate/gw-1").values["external_key"]
    assert len(generated) >= 24
    assert (await running.fetch()).status_code == 200
    done = await visitor.send("/console/gateway/rotate/gw-1")
    assert shown_key(done.text) == generated
    assert (await running.fetch(key=generated)).status_code == 200
    assert (await running.fetch()).status_code == 403
    again = await visitor.open("/console/gateways/gw-1")
    assert generated not in again.text


async def test_a_key_that_is_too_long_is_refused_at_its_field(
    running: Running, visitor: Visitor
) -> None:
    await running.map()
    await visitor.open("/console/gateway/rotate/gw-1")
    answer = await visitor.send("/console/gateway/rotate/gw-1", external_key="k" * 1025)
    assert answer.status_code == 422
    assert 'id="error-external_key"' in answer.text
    assert (await running.fetch()).status_code == 200


@pytest.mark.slow
async def test_a_replacement_shows_its_differences_first(
    running: Running, visitor: Visitor
) -> None:
    before = (await running.map(parameters={"mqtt_url": "mqtts://old:8883"})).json()
    path = "/console/gateway/replace/gw-1"
    asked = await visitor.open(path)
    assert "would be like the present one" in asked.text
    wanted = '{"mqtt_url": "mqtts://new:8883"}'
    seen = await visitor.send(path, parameters=wanted, do="preview")
    assert "mqtts://old:8883" in seen.text
    assert "mqtts://new:8883" in seen.text
    assert (await running.fetch()).json()["id"] == before["bootstrap"]["config_id"]
    wrong = await visitor.send(path, parameters="{mqtt", do="replace")
    assert wrong.status_code == 422
    assert "This is not JSON at line 1, column 2: a name in double quotes is missing" in wrong.text
    refused = await visitor.send(path, parameters='{"mqtt_url": 7}', do="replace")
    assert refused.status_code == 422
    done = await visitor.send(path, parameters=wanted, do="replace")
    key = shown_key(done.text)
    fetched = (await running.fetch(key=key)).json()
    assert fetched["id"] != before["bootstrap"]["config_id"]
    assert "mqtts://new:8883" in fetched["content"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ('{"a": 1, "a": 2}', "The key &#39;a&#39; stands twice in one object; give it once."),
        (f'{{"a": {"9" * 5000}}}', "This is not JSON: "),
        (f'{{"a": {"[" * 100_000}', "This is not JSON: "),
        ("[" * 101 + "]" * 101, "This is nested deeper than 100 levels."),
        # About as deep as Python reads: what was just read may be too deep to be written.
        *(("[" * depth + "]" * depth, "This is ") for depth in (900, 970, 5000)),
    ],
)
async def test_parameters_that_nothing_reads_are_said_at_their_field(
    running: Running, visitor: Visitor, given: str, message: str
) -> None:
    await running.map()
    await visitor.open("/console/gateway/replace/gw-1")
    for button in ("preview", "replace"):
        wrong = await visitor.post(
            "/console/gateway/replace/gw-1",
            visitor.form("/console/gateway/replace/gw-1").values
            | {"parameters": given, "do": button},
        )
        assert (wrong.status_code, message in wrong.text) == (422, True), wrong.status_code
    assert (await running.fetch()).status_code == 200


@pytest.mark.slow
async def test_a_certificate_is_renewed(running: Running, visitor: Visitor) -> None:
    await running.map()
    before = (await running.fetch()).json()
    (serial,) = (
        each["serial_number"] for each in (await running.get("/mapping/gw-1"))["certificates"]
    )
    asked = await visitor.open(f"/console/gateway/renew/gw-1?serial={serial}")
    assert "superseded" in asked.text
    none = await visitor.send("/console/gateway/renew/gw-1", serial="x" * 70_000)
    assert none.status_code == 404
    await visitor.open(f"/console/gateway/renew/gw-1?serial={serial}")
    done = await visitor.send("/console/gateway/renew/gw-1")
    assert "has a new certificate" in done.text
    assert (await running.fetch()).json()["client_cert"] != before["client_cert"]
    late = await visitor.open(f"/console/gateway/renew/gw-1?serial={serial}")
    assert late.status_code == 404


@pytest.mark.slow
async def test_a_removal_leaves_nothing_but_the_timeline(
    running: Running, visitor: Visitor
) -> None:
    await running.map()
    asked = await visitor.open("/console/gateway/remove/gw-1")
    assert "revoked" in asked.text
    assert (await running.fetch()).status_code == 200
    done = await visitor.send("/console/gateway/remove/gw-1")
    assert "Gateway gw-1 is removed" in done.text
    assert await running.nothing_is_there()
    gone = await visitor.open("/console/gateways/gw-1")
    assert gone.status_code == 200
    assert "removed" in gone.text
    assert "/console/gateway/rotate/" not in gone.text


async def test_a_late_action_makes_no_new_gateway(running: Running, visitor: Visitor) -> None:
    await running.map()
    await visitor.open("/console/gateway/rotate/gw-1")
    await running.http.delete(f"/{running.domain}/mapping/gw-1", headers=running.headers)
    late = await visitor.send("/console/gateway/rotate/gw-1", external_key="another-key")
    assert late.status_code == 404
    assert "was removed" in late.text
    assert await running.nothing_is_there()


async def test_what_is_not_there_is_said(visitor: Visitor) -> None:
    for path in ("gateways/none", "gateway/rotate/none", "onboardings/none"):
        answer = await visitor.open(f"/console/{path}")
        assert answer.status_code == 404, path


@pytest.mark.slow
async def test_failed_and_undone_onboardings(tmp_path: Path) -> None:
    async with beside_platform(tmp_path) as running, visiting(running) as visitor:
        assert running.wire
        await visitor.sign_in(**operator(tmp_path / "platform"))
        made = (await running.map("good")).json()
        running.wire.fail("POST", "/channels", answered(400))
        assert (await running.map("bad")).status_code >= 400
        failed = await visitor.open("/console/onboardings?progress=failed")
        assert "bad" in failed.text
        assert "/console/gateways/good" not in failed.text
        (row,) = (await running.get("/onboardings?progress=failed"))["onboardings"]
        page = await visitor.open(f"/console/onboardings/{row['id']}")
        assert "Last error" in page.text
        assert row["error"]["message"].split("'")[0] in page.text
        assert "channels" in page.text
        assert "ms" in page.text
        here = f"/console/onboardings/{made['onboarding']['id']}"
        assert f'href="{here}/undo"' in (await visitor.open(here)).text
        await visitor.open(f"{here}/undo")
        undone = await visitor.send(f"{here}/undo")
        assert "is undone now" in undone.text
        assert (await running.fetch("good", KEY)).status_code == 403


@pytest.mark.slow
async def test_a_stuck_onboarding_goes_on_when_asked(tmp_path: Path) -> None:
    async with beside_platform(tmp_path) as running, visiting(running) as visitor:
        assert running.wire
        await visitor.sign_in(**operator(tmp_path / "platform"))
        await running.map()
        running.wire.fail("DELETE", "/channels/", answered(500))
        await visitor.open("/console/gateway/remove/gw-1")
        cut = await visitor.send("/console/gateway/remove/gw-1")
        assert "removed in the background" in cut.text
        assert (await running.fetch()).status_code == 403
        listed = await visitor.open("/console/onboardings?external_id=gw-1")
        assert "undoing" in listed.text or "stuck" in listed.text
        running.wire.faults.clear()
        (row,) = (await running.get("/onboardings"))["onboardings"]
        here = f"/console/onboardings/{row['id']}"
        asked = await visitor.open(f"{here}/retry")
        assert "what is left of it is removed" in asked.text or "tried again" in asked.text
        await visitor.send(f"{here}/retry")
        page = await visitor.open(here)
        assert "undone" in page.text
        assert await running.left_on_platform() == {"clients": [], "channels": []}
