"""Bad input: each mistake has its own clear answer, and changes nothing."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from jsonschema import Draft202012Validator

from tests.service.running import (
    KEY,
    Running,
    answered,
    beside_platform,
    embedded,
    refused,
    timed_out,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

GOOD: dict[str, Any] = {"external_id": "gw-1", "external_key": KEY}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    async with embedded(tmp_path_factory.mktemp("data")) as service:
        yield service


@pytest_asyncio.fixture(loop_scope="module")
async def untouched(shared: Running) -> AsyncIterator[Running]:
    """A service that must hold nothing when the test is over."""
    yield shared
    assert await shared.nothing_is_there()
    assert (await shared.get("/onboardings"))["total"] == 0


async def test_a_refusal_is_what_the_openapi_document_says(untouched: Running) -> None:
    document = (await untouched.http.get("/openapi.json")).json()
    schema = document["components"]["schemas"]["Error"] | {"additionalProperties": False}
    for content in ("{}", "[", json.dumps(GOOD | {"layout": "unknown"})):
        refusal = (await post(untouched, content)).json()
        assert [each.message for each in Draft202012Validator(schema).iter_errors(refusal)] == []


async def post(running: Running, content: bytes | str, **headers: str) -> httpx.Response:
    return await running.http.post(
        f"/{running.domain}/mapping",
        content=content,
        headers=running.headers | {"Content-Type": "application/json"} | headers,
    )


@pytest.mark.parametrize(
    ("change", "status", "code", "words"),
    [
        ({"external_id": None}, 400, "invalid_fields", "external_id: is missing"),
        ({"external_key": None}, 400, "invalid_fields", "external_key: is missing"),
        ({"external_id": ""}, 400, "invalid_fields", "external_id: must not be blank"),
        ({"external_id": " \t"}, 400, "invalid_fields", "external_id: must not be blank"),
        ({"external_key": " "}, 400, "invalid_fields", "external_key: must not be blank"),
        ({"external_id": 7}, 400, "invalid_fields", "external_id: must be a text, not a number"),
        ({"external_key": ["k"]}, 400, "invalid_fields", "external_key: must be a text"),
        ({"external_id": "ü" * 513}, 400, "invalid_fields", "1026 bytes long; at most 1024"),
        ({"external_key": "k" * 1025}, 400, "invalid_fields", "1025 bytes long; at most 1024"),
        ({"external_id": "a\0b"}, 400, "invalid_fields", "characters that are not text"),
        ({"name": 1}, 400, "invalid_fields", "name: must be a text"),
        ({"name": "n" * 1025}, 400, "invalid_fields", "1025 characters long; at most 1024"),
        ({"layuot": "gateway"}, 400, "invalid_fields", "did you mean 'layout'?"),
        ({"External_id": "x"}, 400, "invalid_fields", "External_id: unknown field"),
        ({"on_existing": "merge"}, 400, "invalid_fields", "reuse, fail, repair, rotate, replace"),
        ({"on_existing": 1}, 400, "invalid_fields", "on_existing"),
        ({"parameters": []}, 400, "invalid_fields", "parameters: must be an object"),
        ({"layout": "gatewya"}, 400, "layout_unknown", 'did you mean "gateway"?'),
        ({"layout": "../gateway"}, 400, "layout_unknown", "The layouts are "),
        ({"parameters": {"mqtt": "x"}}, 400, "parameters_invalid", "mqtt_url"),
        ({"parameters": {"mqtt_url": "a\0"}}, 400, "invalid_fields", "parameters.mqtt_url: has ch"),
        ({"parameters": {"a": ["\0"]}}, 400, "invalid_fields", "parameters.a[0]: has characters"),
        ({"parameters": {"a\0": 1}}, 400, "invalid_fields", "parameters: has characters"),
        ({"csrs": {"a": "\0"}}, 400, "invalid_fields", "csrs.a: has characters"),
        ({"parameters": {"mqtt_url": 7}}, 400, "parameters_invalid", "mqtt_url"),
        ({"parameters": {"mqtt_url": "ftp://x"}}, 400, "parameters_invalid", "mqtt_url"),
    ],
)
async def test_a_field_that_is_wrong(
    untouched: Running, change: dict[str, Any], status: int, code: str, words: str
) -> None:
    body = {name: value for name, value in (GOOD | change).items() if value is not None}
    answer = await post(untouched, json.dumps(body))
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert words in answer.json()["message"]
    assert KEY not in answer.text


async def test_all_wrong_fields_are_told_at_once(untouched: Running) -> None:
    answer = await post(untouched, '{"external_key": 1, "nmae": "x"}')
    assert {each["field"] for each in answer.json()["details"]} == {
        "external_id",
        "external_key",
        "nmae",
    }


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not valid JSON"),
        (b"{", "line 1, column 2"),
        (b'{"external_id": "x"} x', "line 1, column 22: something follows the end of the value"),
        (b'{"external_id": "x\n"}', "line 1, column 19: a text holds a control character"),
        (
            b'{"external_id": "x',
            "line 1, column 17: the text that begins here has no closing quote",
        ),
        (b'{"external_id": "x" "y"}', "column 21: a comma or a closing bracket is missing"),
        (b'{"external_id" "x"}', "column 16: a colon is missing"),
        (b'{"external_id": }', "column 17: a value is missing"),
        (b'{"external_id": "\\x"}', "column 18: JSON has no such escape"),
        (b'{"external_id": NaN}', "NaN is not a JSON value"),
        (b"[1]", "must be a JSON object, not a list"),
        (b"null", "must be a JSON object, not null"),
        (b'"x"', "must be a JSON object, not a text"),
        (b'{"external_id": "\xff"}', "not valid UTF-8"),
        (b'{"external_id": "\\ud800", "external_key": "k"}', "characters that are not text"),
        # Newer Pythons read on to the end, and find no value there.
        (b"[" * 60_000, "the body is n"),
        (b'{"external_id": "a", "external_id": "b"}', "the key 'external_id' stands twice"),
        (b'{"parameters": {"a": 1, "b": 2, "\\u0061": 3}}', "the key 'a' stands twice"),
    ],
)
async def test_a_body_that_is_no_json_object(
    untouched: Running, content: bytes, words: str
) -> None:
    answer = await post(untouched, content)
    assert answer.status_code == 400
    assert words in answer.json()["message"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/clients"),
        ("POST", "/channels"),
        ("POST", "/clients/configs"),
        ("POST", "/clients/bootstrap/profiles"),
        ("POST", "/clients/bootstrap/profiles/render-preview"),
        ("POST", "/plan"),
    ],
)
async def test_no_body_says_two_things_at_once(untouched: Running, method: str, path: str) -> None:
    answer = await untouched.http.request(
        method,
        f"/{untouched.domain}{path}",
        content=b'{"name": "a", "metadata": {}, "name": "b"}',
        headers=untouched.headers | {"Content-Type": "application/json"},
    )
    assert answer.status_code == 400, answer.text
    assert "the key 'name' stands twice in one object; give it once" in answer.json()["message"]


LONG = "9" * 400
DEEP = "[" * 120 + "]" * 120


@pytest.mark.parametrize(
    ("field", "code"),
    [
        ('"on_existing": null', "invalid_fields"),
        ('"parameters": {"mqtt_url": 1e999}', "parameters_invalid"),
        (f'"parameters": {{"mqtt_url": {LONG}}}', "parameters_invalid"),
        (f'"parameters": {{"mqtt_url": {DEEP}}}', "parameters_invalid"),
        (f'"parameters": {{"mqtt_url": {"[" * 600}{"]" * 600}}}', "parameters_invalid"),
        ('"parameters": {"mqtt_url": "\\ud800"}', "invalid_fields"),
        ('"layout": "\\ud800"', "invalid_fields"),
        ('"\\ud800": 1', "invalid_fields"),
        (f'"layout": {LONG}', "invalid_fields"),
        (f'"layout": {DEEP}', "invalid_fields"),
    ],
)
async def test_what_json_may_hold_is_wrong_at_its_field(
    untouched: Running, field: str, code: str
) -> None:
    good = json.dumps(GOOD).removesuffix("}")
    answer = await post(untouched, f"{good}, {field}}}")
    assert (answer.status_code, answer.json()["code"]) == (400, code), answer.text


@pytest.mark.parametrize(
    ("path", "content", "status", "code"),
    [
        ("cert", '{"client_id": "x", "key_bits": null}', 400, "invalid_fields"),
        ("cert/1/renew", '{"key_bits": null}', 400, "invalid_fields"),
        ("cert", '{"client_id": "x", "thing_id": 7}', 401, "unknown_client"),
        ("cert", '{"client_id": "x", "thing_id": ""}', 401, "unknown_client"),
        ("cert", '{"client_id": null, "thing_id": "x"}', 401, "unknown_client"),
        ("cert", '{"thing_id": 7}', 400, "invalid_fields"),
        ("cert", '{"client_id": "", "thing_id": "x"}', 400, "invalid_fields"),
        ("cert", f'{{"client_id": "x", "key_bits": {LONG}}}', 401, "unknown_client"),
    ],
)
async def test_how_a_certificate_may_be_asked_for(
    untouched: Running, path: str, content: str, status: int, code: str
) -> None:
    headers = untouched.headers | {"Content-Type": "application/json"}
    url = f"/{untouched.domain}/{path}"
    answer = await untouched.http.post(url, content=content, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text


async def test_a_body_over_the_limit(untouched: Running) -> None:
    answer = await post(untouched, json.dumps(GOOD | {"name": "n" * 65_536}))
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
    assert "64 KiB" in answer.json()["message"]


@pytest.mark.parametrize("path", ["/mapping", "/clients/configs"])
async def test_a_body_that_announces_too_much_is_refused_before_it_is_there(
    untouched: Running, path: str
) -> None:
    async def nothing() -> AsyncIterator[bytes]:
        raise AssertionError("the body was asked for")
        yield b""

    headers = untouched.headers | {"Content-Type": "application/json", "Content-Length": "2000000"}
    url = f"/{untouched.domain}{path}"
    answer = await untouched.http.post(url, content=nothing(), headers=headers)
    assert answer.status_code == 413, answer.text


@pytest.mark.parametrize("given", ["application/json; charset=utf-8", "Application/JSON"])
async def test_a_charset_and_capitals_in_the_content_type(untouched: Running, given: str) -> None:
    path = f"/{untouched.domain}/mapping?dry_run=true"
    headers = untouched.headers | {"Content-Type": given}
    answer = await untouched.http.post(path, content=json.dumps(GOOD), headers=headers)
    assert answer.status_code == 200, answer.text


NAMES = {f"paramete{number}": 1 for number in range(3000)}


@pytest.mark.parametrize("body", [NAMES, {"parameters": NAMES}, {"csrs": dict.fromkeys(NAMES, "")}])
async def test_of_thousands_of_mistakes_some_are_told(
    untouched: Running, body: dict[str, Any]
) -> None:
    answer = await post(untouched, json.dumps(GOOD | body))
    assert answer.status_code == 400
    assert "paramete0" in answer.text
    assert len(answer.content) < 10_000


OTHER_TYPES = ("text/plain", "application/x-www-form-urlencoded", "application/jsonx", "")


@pytest.mark.parametrize("path", ["/mapping", "/plan", "/cert", "/clients/configs"])
@pytest.mark.parametrize(
    "body",
    [rb'{"\ud800": 1}', rb'{"\ud800": 1, "\ud800": 2}', rb'{"csrs": {"\ud800": 5}}'],
    ids=["unknown", "twice", "within"],
)
async def test_half_a_character_in_a_name(untouched: Running, path: str, body: bytes) -> None:
    answer = await untouched.http.post(
        f"/{untouched.domain}{path}",
        content=body,
        headers=untouched.headers | {"Content-Type": "application/json"},
    )
    assert answer.status_code == 400, answer.text
    assert answer.json()["message"]


@pytest.mark.parametrize(
    "query",
    [
        f"{path}={'9' * 5000}"
        for path in (
            "/onboardings?offset",
            "/onboardings?limit",
            "/gateways?offset",
            "/gateways?certificate_days",
            "/clients/configs?offset",
            "/clients?offset",
        )
    ],
    ids=lambda query: query.split("=")[0],
)
async def test_a_number_of_thousands_of_digits(untouched: Running, query: str) -> None:
    answer = await untouched.http.get(f"/{untouched.domain}{query}", headers=untouched.headers)
    assert answer.status_code == 400, answer.text


@pytest.mark.parametrize("given", OTHER_TYPES)
async def test_another_content_type(untouched: Running, given: str) -> None:
    answer = await post(untouched, json.dumps(GOOD), **{"Content-Type": given})
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_content_type")
    assert "application/json" in answer.json()["message"]


@pytest.mark.parametrize("header", [None, "", "Bearer ", "Bearer not.a.token", "x", "Basic dTpw"])
async def test_credentials_that_are_missing_or_bad(untouched: Running, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    answer = await untouched.http.post(f"/{untouched.domain}/mapping", json=GOOD, headers=headers)
    assert answer.status_code == 401
    assert answer.json()["message"]


async def test_a_domain_that_is_not_there(untouched: Running) -> None:
    answer = await untouched.http.post(
        "/11111111-2222-4333-8444-555555555555/mapping", json=GOOD, headers=untouched.headers
    )
    assert answer.status_code == 404


async def test_a_domain_that_the_caller_has_no_part_in(untouched: Running) -> None:
    someone = {
        "first_name": "some",
        "last_name": "one",
        "email": "someone@example.com",
        "credentials": {"username": "someone", "secret": "12345678"},
    }
    await untouched.http.post("/users", json=someone, headers=untouched.headers)
    signed_in = await untouched.http.post(
        "/users/tokens/issue", json={"username": "someone", "password": "12345678"}
    )
    headers = {"Authorization": f"Bearer {signed_in.json()['access_token']}"}
    for method, path in (
        ("POST", "mapping"),
        ("GET", "mapping"),
        ("GET", "mapping/gw-1"),
        ("DELETE", "mapping/gw-1"),
        ("GET", "onboardings"),
        ("POST", "cert"),
    ):
        answer = await untouched.http.request(
            method,
            f"/{untouched.domain}/{path}",
            headers=headers,
            json=GOOD if method == "POST" else None,
        )
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), path


@pytest.mark.parametrize(
    "path", ["clients", "channels", "clients/configs", "gateways", "onboardings", "certs"]
)
async def test_a_broken_escape_in_the_query_of_a_list(untouched: Running, path: str) -> None:
    address = f"/{untouched.domain}/{path}?name=%zz"
    answer = await untouched.http.get(address, headers=untouched.headers)
    assert answer.status_code == 400
    assert "two hexadecimal digits" in answer.json()["message"]


async def test_an_unknown_route_and_a_wrong_method(untouched: Running) -> None:
    answer = await untouched.http.get("/no/such/thing")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_route")
    answer = await untouched.http.put("/mapping", json=GOOD)
    assert (answer.status_code, answer.json()["code"]) == (405, "unknown_method")
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD", "POST"}


@pytest.mark.parametrize("path", ["mapping/never-there", "onboardings/never-there"])
async def test_what_was_never_onboarded_is_not_found(untouched: Running, path: str) -> None:
    answer = await untouched.http.get(f"/{untouched.domain}/{path}", headers=untouched.headers)
    assert answer.status_code == 404


# On the event loop that its service runs on.
@pytest.mark.asyncio(loop_scope="function")
async def test_an_external_id_that_belongs_to_a_config_made_by_hand(running: Running) -> None:
    body = {"external_id": "gw-1", "external_key": "x", "name": "by hand"}
    made = await running.http.post(
        f"/{running.domain}/clients/configs", json=body, headers=running.headers
    )
    answer = await running.map()
    assert (answer.status_code, answer.json()["code"]) == (409, "external_id_taken")
    assert answer.json()["details"]["config_id"] == made.json()["id"]
    assert await running.left_on_platform() == {"clients": [], "channels": []}


@pytest.mark.parametrize(
    ("how", "status", "code"),
    [
        (refused, 503, "platform_unavailable"),
        (timed_out, 504, "platform_timed_out"),
        (answered(500), 502, "platform_failed"),
        (answered(502, b"<html>bad gateway</html>"), 502, "platform_failed"),
        (answered(201, b"not json"), 502, "platform_bad_answer"),
        (answered(200, {"clients": "none"}), 502, "platform_bad_answer"),
        (answered(422, {"message": "no room left"}), 422, "rejected_by_platform"),
    ],
)
async def test_a_platform_that_fails(tmp_path: Path, how: Any, status: int, code: str) -> None:
    async with beside_platform(tmp_path) as beside:
        assert beside.wire
        beside.wire.fail("POST", "/clients/bulk", how)
        answer = await beside.map()
        assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
        assert answer.json()["details"]["step"] == "clients"
        assert beside.token not in answer.text
        await at_rest(beside)
        assert await beside.nothing_is_there()


async def test_a_platform_that_is_down_altogether(beside: Running) -> None:
    assert beside.wire
    beside.wire.fail("GET", "/", refused)
    beside.wire.fail("POST", "/", refused)
    answer = await beside.map()
    assert (answer.status_code, answer.json()["code"]) == (503, "platform_unavailable")
    beside.wire.faults.clear()
    assert await beside.nothing_is_there()


async def at_rest(running: Running) -> None:
    """Wait until no onboarding is worked on."""
    import asyncio

    for _ in range(400):
        rows = (await running.get("/onboardings"))["onboardings"]
        if all(row["state"] in ("done", "undone") for row in rows):
            return
        await asyncio.sleep(0.05)
    pytest.fail(f"still not at rest: {rows}")
