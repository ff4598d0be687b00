"""Work that takes long keeps nobody else waiting: it leaves the event loop."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from bootstrap_core.gotemplate import ExecError, Template
from tests.service.loop_watch import loop_watched
from tests.service.running import KEY, Running, embedded
from tests.service.test_hostile_layouts import plan

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(120)]

NUMBERS = list(range(1000))
GREEDY = "{{ range $.Vars.n }}{{ $x := toJSON $.Vars.n }}{{ end }}"
PROFILES = "/clients/bootstrap/profiles"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    async with embedded(tmp_path_factory.mktemp("data")) as service:
        assert (await service.map("warm")).status_code == 201
        yield service


def draft(template: str, kind: str = "go-template") -> dict[str, Any]:
    profile = {"name": "p", "content_format": kind, "content_template": template}
    return {"profile": profile, "render_context": {"n": NUMBERS}}


async def post(running: Running, path: str, body: Any) -> httpx.Response:
    return await running.http.post(f"/{running.domain}{path}", json=body, headers=running.headers)


async def preview(running: Running, template: str, kind: str = "go-template") -> httpx.Response:
    return await post(running, f"{PROFILES}/render-preview", draft(template, kind))


async def test_previews_that_use_their_whole_budget_hold_nobody_up(running: Running) -> None:
    with loop_watched():
        asked = [preview(running, GREEDY + f"{{{{/* {at} */}}}}") for at in range(48)]
        answers = await asyncio.gather(*asked)
        health = await running.http.get("/health")
    assert health.status_code == 200
    statuses = Counter(answer.status_code for answer in answers)
    assert set(statuses) == {400, 429}
    assert statuses[400] >= 4
    told = [answer.text for answer in answers if answer.status_code == 400]
    assert all("more than 50000 steps" in text for text in told)
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert refused.headers["Retry-After"] == "1"
    assert refused.json()["code"] == "too_many_at_once"
    assert (await preview(running, "{{ 1 }}")).json() == {"content": "1"}


@pytest.mark.parametrize(
    ("template", "kind"),
    [
        ("{{ range $.Vars.n }}{{ . }}: [1, 2, {a: b}]\n{{ end }}", "yaml"),
        ("{{ range $.Vars.n }}k{{ . }} = [1, 2]\n{{ end }}", "toml"),
        ("[{{ range $.Vars.n }}[1, 2], {{ end }}1]", "json"),
        ("{{ if 1 }}a{{ end }}" * 1_500, "go-template"),
    ],
    ids=["yaml", "toml", "json", "long template"],
)
async def test_a_long_rendering_is_answered_beside_the_loop(
    running: Running, template: str, kind: str
) -> None:
    with loop_watched():
        answer = await preview(running, template, kind)
    assert answer.status_code == 200, answer.text


async def test_a_long_document_is_read_beside_the_loop(running: Running) -> None:
    text = "name: big\ncontent_format: json\ncontent_template: '{}'\ndefaults:\n"
    text += "".join(f"  key{at}: [1, two, {{three: 4}}]\n" for at in range(4_000))
    with loop_watched():
        answer = await running.http.post(
            f"/{running.domain}{PROFILES}/upload",
            content=text,
            headers=running.headers | {"Content-Type": "application/yaml"},
        )
    assert answer.status_code in (201, 400), answer.text


async def test_a_layout_that_is_sent_along_is_read_beside_the_loop(running: Running) -> None:
    many = "".join(f'[[channels]]\nname = "{{{{ .Name }}}}-{at}"\n' for at in range(1_200))
    with loop_watched():
        answer = await plan(running, "default = 'x'", many)
    assert answer.status_code == 200, answer.text


async def make_device(
    running: Running, external_id: str, template: str, kind: str = "go-template"
) -> str:
    """Make an enabled config with a profile of its own; return the profile's path."""
    profile = {"name": external_id, "content_format": kind, "content_template": template}
    made = (await post(running, PROFILES, profile)).json()
    config = {"external_id": external_id, "external_key": KEY, "profile_id": made["id"]}
    created = await post(running, "/clients/configs", config | {"render_context": {"n": NUMBERS}})
    assert created.status_code == 201, created.text
    enabled = f"/clients/configs/{created.json()['id']}/enable"
    assert (await post(running, enabled, {})).is_success
    return f"/{running.domain}{PROFILES}/{made['id']}"


async def test_devices_whose_templates_take_long_hold_nobody_up(running: Running) -> None:
    templates = [GREEDY, "{{ range $.Vars.n }}{{ . }}: [1, 2]\n{{ end }}"]
    kinds = ["go-template", "yaml"]
    for at, (template, kind) in enumerate(zip(templates, kinds, strict=True)):
        await make_device(running, f"long-{at}", template, kind)
    with loop_watched():
        answers = await asyncio.gather(
            *(running.fetch(f"long-{at % 2}") for at in range(8)), running.fetch("warm")
        )
    assert [each.status_code for each in answers] == [409, 200] * 4 + [200]


@pytest.fixture
def failures(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Count renderings that fail: the work that a device's poll costs."""
    failed: list[str] = []
    render = Template.render

    def counted(self: Template, *given: Any) -> str:
        try:
            return render(self, *given)
        except ExecError:
            failed.append(self.name)
            raise

    monkeypatch.setattr(Template, "render", counted)
    return failed


async def test_a_failure_is_kept_until_the_config_or_its_profile_changes(
    running: Running, failures: list[str]
) -> None:
    path = await make_device(running, "poll", "{{ .Vars.nope }}", "json")
    for _ in range(5):
        assert (await running.fetch("poll")).status_code == 409
    assert len(failures) == 1
    change = {"content_template": '{"x": 1}'}
    assert (await running.http.patch(path, json=change, headers=running.headers)).is_success
    assert (await running.fetch("poll")).status_code == 200
