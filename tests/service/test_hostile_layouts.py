"""Layouts sent along to be planned that are made to keep the service busy."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from provision.api.layouts import sources_answer
from tests.service.running import Running, embedded

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(120)]

LAYOUT = """
[parameters.p]
%s
[[clients]]
name = "agent"
bootstrap = true
metadata = { p = "{{ .Vars.p }}" }
[[channels]]
name = "control"
%s
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    async with embedded(tmp_path_factory.mktemp("data")) as service:
        yield service


async def plan(
    running: Running, parameter: str, rest: str = "", **parameters: Any
) -> httpx.Response:
    files = {"hostile.toml": LAYOUT % (parameter, rest)}
    body = {"external_id": "g", "layout": "hostile", "files": files, "parameters": parameters}
    headers = running.headers | {"Content-Type": "application/json"}
    path = f"/{running.domain}/plan"
    return await running.http.post(path, content=json.dumps(body), headers=headers)


async def test_a_value_that_backtracks_elsewhere_is_refused_at_once(running: Running) -> None:
    answer = await plan(running, "pattern = '^(a+)+$'", p="a" * 28 + "!")
    assert answer.status_code == 400, answer.text
    assert "must match the pattern" in answer.json()["message"]


async def test_a_pattern_that_grows_without_end_is_refused_where_it_stands(
    running: Running,
) -> None:
    pattern = "((((a{0,100}){0,100}){0,100}){0,100}){0,100}b"
    answer = await plan(running, f"pattern = '{pattern}'\ndefault = '{'a' * 60}'")
    assert answer.status_code == 422, answer.text
    (problem,) = answer.json()["details"]
    assert (problem["rule"], problem["line"]) == ("bad-pattern", 3)
    assert "repeat less" in problem["message"]


async def test_half_a_character_is_refused(running: Running) -> None:
    answer = await plan(running, "pattern = '.'", p="\ud800")
    assert answer.status_code == 400, answer.text
    assert "half a character" in answer.json()["message"]


@pytest.mark.parametrize(
    "rest",
    [
        "metadata.x = '" + "{{.Nope}}" * 5_000 + "'",
        "[certificates]\nttl = '" + "1" * 50_000 + "'",
        "metadata.x = '''" + '"\\' * 12_000 + "'''",
    ],
    ids=["fields", "duration", "strings"],
)
async def test_a_hostile_layout_is_answered(running: Running, rest: str) -> None:
    answer = await plan(running, "default = 'x'", rest)
    assert answer.status_code in (200, 422), answer.text


async def test_masking_credentials_takes_no_longer_for_a_hostile_file() -> None:
    sources = {"a.toml": "pass" * 50_000 + " = 'shown'\n", "b.toml": "a = 1\n" + "pass " * 50_000}
    assert "shown" not in str(sources_answer(sources))
