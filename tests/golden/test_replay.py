"""The replay tells an answer that is as recorded from one that is not."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.golden.comparison import differences
from tests.golden.replay import DEVIATIONS, Deviation, Row, load, load_deviations, replay

UUID = "0b7a4a6e-3f1c-4d53-9d0e-7f1f8c0c3c52"
RECORDINGS = ("clients", "channels", "users", "domains", "certs")


@pytest.mark.parametrize(
    ("recorded", "answered"),
    [
        ({"a": 1}, {"a": 1, "more": 2}),
        ({"a": "", "b": [], "c": 0, "d": None}, {}),
        ({"a": ""}, {"a": None}),
        ("<uuid>", UUID),
        ("/clients/<uuid>", f"/clients/{UUID}"),
        ("<time>", "2026-01-01T00:00:00.123456Z"),
        ("client_<role>", "client_abc"),
        ("<pem certificate>", "-----BEGIN CERTIFICATE-----\n"),
        ({"actions": ["a", "b"]}, {"actions": ["b", "a"]}),
        ({"<uuid>": True}, {UUID: True}),
        ('{"a": 1, "b": 2}', '{"b":2,"a":1}'),
        ("a: 1\nb: [2]\n", "b:\n- 2\na: 1"),
        ("{{known}}", "value"),
        ({"total": 3, "configs": [{"id": "<uuid>"}]}, {"total": 3, "configs": [{"id": "other"}]}),
        (
            {"total": 2, "configs": [{"n": 1}, {"n": 2}]},
            {"total": 2, "configs": [{"n": 2}, {"n": 1}]},
        ),
    ],
)
def test_what_is_as_recorded(recorded: object, answered: object) -> None:
    assert (
        list(differences(recorded, answered, lambda text: text.replace("{{known}}", "value"))) == []
    )


@pytest.mark.parametrize(
    ("recorded", "answered"),
    [
        ({"a": 1}, {}),
        ({"a": 1}, {"a": 2}),
        ({"a": 1}, {"a": True}),
        ({"a": False}, {"a": 0}),
        ({"a": 1}, [1]),
        ({"a": None}, {"a": 1}),
        ([1, 2], [2, 1]),
        ([1], [1, 2]),
        ([1], None),
        ("<uuid>", "abc"),
        ("<time>", "yesterday"),
        ("<pem certificate>", "x"),
        ("a", "b"),
        ("1", "1.0"),
        ({"actions": ["a"]}, {"actions": ["a", "b"]}),
        ({"<uuid>": True}, {UUID: False}),
        ({"total": 1, "configs": [{"n": 1}]}, {"total": 1, "configs": [{"n": 2}]}),
    ],
)
def test_what_is_not_as_recorded(recorded: object, answered: object) -> None:
    assert list(differences(recorded, answered, str))


def _row(**response: Any) -> Row:
    return {
        "id": "x.one",
        "scenario": "x",
        "request": {
            "service": "x",
            "method": "GET",
            "path": "/echo/a%2Fb?q=%20",
            "headers": {"Authorization": "Bearer {{alice_token}}"},
        },
        "response": {"status": 200, "headers": {}, **response},
    }


async def _replayed(
    answer: Response, row: Row, deviations: tuple[Deviation, ...] = ()
) -> list[str]:
    seen: list[str] = []

    async def created(_: Request) -> Response:
        return JSONResponse({"id": UUID}, 201)

    async def signed_in(_: Request) -> Response:
        return JSONResponse({"access_token": "hers"}, 201)

    async def echo(request: Request) -> Response:
        assert request.headers["authorization"] == "Bearer hers"
        seen.append(request.scope["raw_path"].decode())
        return answer

    routes = [
        Route("/users/tokens/issue", signed_in, methods=["POST"]),
        Route("/users", created, methods=["POST"]),
        Route("/domains", created, methods=["POST"]),
        Route("/echo/{rest:path}", echo),
    ]
    transport = httpx.ASGITransport(app=Starlette(routes=routes))
    async with httpx.AsyncClient(transport=transport, base_url="http://x.test") as http:
        found = await replay(http, [row], admin_token="admin", deviations=deviations)
    assert seen == ["/echo/a%2Fb"]
    return [difference.what for difference in found]


async def test_an_answer_as_recorded_differs_in_nothing() -> None:
    row = _row(json={"id": "{{domain_a}}"}, headers={"location": "/x/<uuid>"})
    answer = JSONResponse({"id": UUID}, headers={"Location": f"/x/{UUID}"})

    assert await _replayed(answer, row) == []


@pytest.mark.parametrize(
    ("answer", "recorded"),
    [
        (JSONResponse({"id": UUID}, 201), {"json": {"id": "<uuid>"}}),
        (JSONResponse({"id": "other"}), {"json": {"id": "{{domain_a}}"}}),
        (Response(b"text"), {"json": {"id": "<uuid>"}}),
        (Response(b"other"), {"text": "text"}),
        (Response(b"\0"), {"b64": "AQ=="}),
        (JSONResponse({}), {"json": {}, "headers": {"location": "/x"}}),
        (JSONResponse({"error": "x"}, 404), {"status": 404, "json": {"message": "y"}}),
        (JSONResponse({"message": ""}, 404), {"status": 404, "json": {"message": "y"}}),
    ],
)
async def test_another_answer_is_told(answer: Response, recorded: dict[str, Any]) -> None:
    assert len(await _replayed(answer, _row(**recorded))) == 1


async def test_a_deviation_is_accepted_in_place_of_the_recorded_answer() -> None:
    deviations = (Deviation("x.*", [403], "because"),)
    refused = JSONResponse({"message": "no"}, 403)

    assert await _replayed(refused, _row(json={"id": "<uuid>"}), deviations) == []
    assert await _replayed(JSONResponse({}, 403), _row(), deviations) != []
    assert await _replayed(JSONResponse({"id": UUID}), _row(), deviations) != []


async def test_an_error_s_text_is_free() -> None:
    row = _row(status=400, json={"message": "recorded words"})

    assert await _replayed(JSONResponse({"message": "other words"}, 400), row) == []


def test_every_deviation_has_a_reason_and_is_about_something_recorded() -> None:
    listed = load_deviations(DEVIATIONS)
    rows = [row for name in RECORDINGS for row in load(name)]

    mine = [one for one in listed if one.id.split(".")[0] in RECORDINGS]
    assert mine
    for deviation in mine:
        assert len(deviation.reason) > 20
        covered = [row for row in rows if deviation.covers(row["id"])]
        assert covered, f"{deviation.id} is about nothing"
        for row in covered:
            assert not deviation.body or row["response"]["status"] not in deviation.statuses


def test_recordings_are_whole() -> None:
    ids = [row["id"] for name in RECORDINGS for row in load(name)]

    assert len(ids) == len(set(ids)) == 234
