"""A parameter that a layout calls secret: the device gets it, and nobody else is shown it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bootstrap_core.secrets import MASK
from tests import database
from tests.console.visiting import operator, visiting
from tests.service.running import Running, embedded

SECRET = "swordfish-4711"
OTHER = "halibut-0815"
LAYOUT = """
[layout]
name = "joined"

[parameters.network]
description = "which network it joins"
default = "lora"

[parameters.join_token]
description = "what it joins the network with"
required = true
secret = true
pattern = "^[a-z]+-[0-9]+$"

[[clients]]
key = "agent"
name = "{{ .ExternalID }}-agent"
bootstrap = true

[[channels]]
key = "data"
name = "{{ .ExternalID }}-{{ .Vars.network }}"

[profile]
name = "joined"
content_format = "json"
content_template = '{"network": "{{ .Vars.network }}", "token": "{{ .Vars.join_token }}"}'
"""

PLAIN = ("yaml", "go-template")


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    layouts = tmp_path / "layouts"
    layouts.mkdir()
    (layouts / "joined.toml").write_text(LAYOUT)
    for name in PLAIN:
        profile = f"""
content_format = "{name}"
content_template = 'token: {{{{ .Vars.join_token }}}}'
"""
        text = LAYOUT[: LAYOUT.index("content_format")].replace('"joined"', f'"{name}"')
        (layouts / f"{name}.toml").write_text(text + profile)
    async with embedded(tmp_path, MG_PROVISION_LAYOUTS=str(layouts)) as service:
        yield service


async def join(running: Running, token: str = SECRET, **more: object) -> object:
    answer = await running.map(layout="joined", parameters={"join_token": token}, **more)
    assert answer.is_success, answer.text
    assert token == MASK or token not in answer.text
    return answer.json()


async def token_of_device(running: Running) -> object:
    return json.loads((await running.fetch()).json()["content"])["token"]


async def test_the_device_gets_it_and_no_answer_shows_it(running: Running) -> None:
    await join(running)
    assert await token_of_device(running) == SECRET

    gateway = await running.get("/mapping/gw-1")
    assert gateway["parameters"] == {"network": "lora", "join_token": MASK}
    config_id = gateway["bootstrap"]["config_id"]
    config = await running.get(f"/clients/configs/{config_id}")
    assert config["render_context"]["join_token"] == MASK
    delivery = await running.get(f"/clients/configs/{config_id}/delivery")
    assert json.loads(delivery["content"]) == {"network": "lora", "token": MASK}
    for path in ("/onboardings", f"/onboardings/{gateway['onboarding']['id']}", "/gateways"):
        assert SECRET not in json.dumps(await running.get(path))


async def test_neither_the_store_nor_the_log_has_it_in_clear(
    running: Running, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    await join(running)
    await running.fetch()
    await running.map(layout="joined", parameters={"join_token": f"{SECRET}!"})
    assert SECRET.encode() not in database.contents(tmp_path / database.FILE)
    log = capfd.readouterr()
    assert SECRET not in log.out + log.err


async def test_a_plan_tells_that_it_changes_and_not_to_what(running: Running) -> None:
    plan = f"/{running.domain}/plan"
    wish = {"external_id": "gw-1", "layout": "joined", "parameters": {"join_token": SECRET}}
    new = await running.http.post(plan, json=wish, headers=running.headers)
    assert new.status_code == 200, new.text
    assert SECRET not in new.text
    await join(running)

    same = await running.http.post(plan, json=wish, headers=running.headers)
    assert same.json()["changes"] == []
    kept = {key: value for key, value in wish.items() if key != "parameters"}
    as_it_is = await running.http.post(plan, json=kept, headers=running.headers)
    assert as_it_is.json()["changes"] == []
    wish["parameters"] = {"join_token": OTHER}
    other = await running.http.post(plan, json=wish, headers=running.headers)
    assert "(another secret)" in other.text
    assert SECRET not in other.text
    assert OTHER not in other.text


async def test_the_mask_keeps_it_in_a_replacement_and_is_refused_for_a_new_gateway(
    running: Running,
) -> None:
    refused = await running.map(layout="joined", parameters={"join_token": MASK})
    assert refused.status_code == 400
    assert "give the value itself" in refused.text
    await join(running)
    await join(running, MASK, on_existing="replace")
    assert await token_of_device(running) == SECRET
    await join(running, OTHER, on_existing="replace")
    assert await token_of_device(running) == OTHER
    await join(running, OTHER, on_existing="repair")
    assert await token_of_device(running) == OTHER


async def test_who_edits_the_variables_keeps_it_or_gives_another(running: Running) -> None:
    await join(running)
    (config,) = await running.configs()
    path = f"/{running.domain}/clients/configs/{config['id']}"
    context = config["render_context"] | {"network": "nb-iot"}
    await running.http.patch(path, json={"render_context": context}, headers=running.headers)
    fetched = json.loads((await running.fetch()).json()["content"])
    assert fetched == {"network": "nb-iot", "token": SECRET}
    context["join_token"] = OTHER
    await running.http.patch(path, json={"render_context": context}, headers=running.headers)
    assert await token_of_device(running) == OTHER


async def test_forms_ask_for_it_as_for_a_password(running: Running, tmp_path: Path) -> None:
    answer = await running.http.get("/layouts/joined/schema", headers=running.headers)
    schema = answer.json()["properties"]["join_token"]
    assert (schema["format"], schema["writeOnly"]) == ("password", True)
    await join(running)
    async with visiting(running) as visitor:
        await visitor.sign_in(**operator(tmp_path))
        form = await visitor.open("/console/onboard?layout=joined")
        assert 'type="password"' in form.text
        for page in ("gateways/gw-1", "gateway/replace/gw-1", "gateway/drift/gw-1"):
            shown = await visitor.open(f"/console/{page}")
            assert shown.status_code == 200
            assert SECRET not in shown.text


async def test_a_change_of_a_config_seals_the_new_value(running: Running, tmp_path: Path) -> None:
    await join(running)
    config_id = (await running.get("/mapping/gw-1"))["bootstrap"]["config_id"]
    path = f"/{running.domain}/clients/configs/{config_id}"

    async def change(**variables: str) -> None:
        body = {"render_context": {"network": "lora", **variables}}
        answer = await running.http.patch(path, json=body, headers=running.headers)
        assert answer.status_code == 200, answer.text

    await change(join_token=OTHER)
    assert await token_of_device(running) == OTHER
    shown = await running.get(f"/clients/configs/{config_id}")
    assert shown["render_context"] == {"network": "lora", "join_token": MASK}
    await change(join_token=MASK, network="wifi")
    assert await token_of_device(running) == OTHER
    assert OTHER.encode() not in database.contents(tmp_path / database.FILE)
    await change()
    assert (await running.fetch()).status_code == 409


@pytest.mark.parametrize("layout", PLAIN)
async def test_people_see_a_whole_configuration_of_any_format(
    running: Running, layout: str
) -> None:
    parameters = {"join_token": SECRET}
    body = {"external_id": "gw-1", "layout": layout, "parameters": parameters}
    plan = await running.http.post(f"/{running.domain}/plan", json=body, headers=running.headers)
    assert plan.status_code == 200
    assert "cannot be rendered" not in plan.text
    made = (await running.map(layout=layout, parameters=parameters)).json()
    assert (await running.fetch()).json()["content"].strip() == f"token: {SECRET}"
    shown = await running.get(f"/clients/configs/{made['bootstrap']['config_id']}/delivery")
    assert shown["content"].strip() in (f"token: {MASK}", f"token: '{MASK}'")
