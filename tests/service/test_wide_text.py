"""Text as long as it may be, of letters that take most bytes, is kept and found on every store."""

from __future__ import annotations

import random
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.service.running import KEY, Running

LONGEST = 1024
# What a database could make short would not be as long as it looks.
RANDOM = random.Random(7)  # noqa: S311 - chance, not secrecy
WIDE = [chr(code) for code in range(0x4E00, 0x9FFF)]
# Six bytes each in folded case.
UNFOLDING = [chr(code) for code in range(0x80, 0x2000) if len(chr(code).casefold().encode()) > 4]


def letters(alphabet: list[str], count: int) -> str:
    return "".join(RANDOM.choices(alphabet, k=count))


async def post(running: Running, path: str, **fields: Any) -> httpx.Response:
    return await running.http.post(f"/{running.domain}{path}", json=fields, headers=running.headers)


async def found(running: Running, path: str, name: str) -> int:
    page = await running.get(f"{path}?name={quote(name)}")
    return int(page["total"])


@pytest.mark.parametrize("alphabet", [WIDE, UNFOLDING], ids=["wide", "unfolding"])
async def test_names_of_any_letters_are_kept_found_and_unique(
    running: Running, alphabet: list[str]
) -> None:
    name = letters(alphabet, LONGEST)
    for path, fields in (
        ("/clients/configs", {"external_id": "gw-1", "external_key": KEY}),
        ("/clients/bootstrap/profiles", {}),
    ):
        assert (await post(running, path, name=name, **fields)).status_code == 201
        assert await found(running, path, name[1:200]) == 1
        again = await post(running, path, name=name, **fields | {"external_id": "gw-2"})
        assert again.status_code in (400, 409), again.text
    made = await running.map("gw-3", name=name + "x" * (LONGEST - len(name)))
    assert made.status_code in (201, 409), made.text
    short = letters(alphabet, LONGEST // 3)
    for path in ("/clients", "/channels"):
        assert (await post(running, path, name=short)).status_code == 201
        assert await found(running, path, short[1:60]) == 1


async def test_ids_of_any_letters_are_kept(running: Running) -> None:
    wide = letters(WIDE, LONGEST // 3)
    assert (await running.map(wide)).status_code == 201
    assert (await running.fetch(wide)).status_code == 200
    assert (await running.get(f"/onboardings?external_id={quote(wide)}"))["total"] == 1
    assert (await post(running, "/channels", id=wide, name="c")).status_code == 201
    refused = await post(running, "/channels", id=wide + letters(WIDE, 10), name="c")
    assert refused.status_code == 400
    assert "at most 1024" in refused.json()["message"]


@pytest.mark.parametrize(
    "path",
    ["/gateways?search=%00", "/onboardings?external_id=a%00b", "/clients/%00", "/mapping/gw%00"],
)
async def test_a_request_that_holds_nul_is_refused(running: Running, path: str) -> None:
    answer = await running.http.get(f"/{running.domain}{path}", headers=running.headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "not_text")
    assert "NUL" in answer.json()["message"]
