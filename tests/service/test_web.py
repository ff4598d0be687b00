"""What concerns every route: web pages of other origins, request IDs, the OpenAPI document."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator

from tests.service.running import KEY, Running, embedded

PAGE = "https://console.example.com"


async def preflight(running: Running, origin: str) -> httpx.Response:
    return await running.http.options(
        f"/{running.domain}/mapping",
        headers={
            "Origin": origin,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,content-type,idempotency-key",
        },
    )


async def test_a_page_of_a_named_origin_may_call_mapping(tmp_path: Path) -> None:
    async with embedded(tmp_path, MG_PROVISION_CORS_ORIGINS=f"{PAGE}, https://b") as running:
        allowed = await preflight(running, PAGE)
        assert allowed.status_code == 200
        assert allowed.headers["access-control-allow-origin"] == PAGE
        refused = await preflight(running, "https://evil.example.com")
        assert "access-control-allow-origin" not in refused.headers
        answer = await running.http.post(
            f"/{running.domain}/mapping",
            json={"external_id": "gw-1", "external_key": KEY},
            headers=running.headers | {"Origin": PAGE},
        )
        assert answer.status_code == 201
        assert answer.headers["access-control-allow-origin"] == PAGE
        assert "Location" in answer.headers["access-control-expose-headers"]


async def test_a_page_can_read_why_it_was_refused(tmp_path: Path) -> None:
    async with embedded(tmp_path, MG_PROVISION_CORS_ORIGINS=PAGE) as running:
        answer = await running.http.post("/mapping", json={}, headers={"Origin": PAGE})
        assert answer.status_code == 401
        assert answer.headers["access-control-allow-origin"] == PAGE


async def test_without_origins_no_page_may_call(running: Running) -> None:
    answer = await running.http.get("/health", headers={"Origin": PAGE})
    assert "access-control-allow-origin" not in answer.headers


async def test_headers_do_not_grow_from_answer_to_answer(running: Running) -> None:
    await running.map()
    for _ in range(5):
        answer = await running.fetch()
        assert len(answer.headers.get_list("x-request-id")) == 1


async def test_the_openapi_document_knows_every_route_that_is_its_own(running: Running) -> None:
    document = (await running.http.get("/openapi.json")).json()
    assert document["openapi"].startswith("3.1")
    assert {
        "/mapping",
        "/{domain_id}/mapping",
        "/{domain_id}/mapping/{external_id}",
        "/{domain_id}/onboardings",
        "/{domain_id}/cert",
        "/{domain_id}/clients/configs",
        "/clients/bootstrap/{external_id}",
        "/layouts",
        "/health",
        "/metrics",
    } <= document["paths"].keys()
    ids = [
        operation["operationId"]
        for item in document["paths"].values()
        for operation in item.values()
        if isinstance(operation, dict)
    ]
    assert len(ids) == len(set(ids))


async def test_every_path_of_the_openapi_document_is_served(running: Running) -> None:
    document = (await running.http.get("/openapi.json")).json()
    for path, item in document["paths"].items():
        asked = re.sub(r"{[^}]*}", "some", path)
        for method in item.keys() - {"parameters"}:
            answer = await running.http.request(method, asked)
            code = answer.json().get("code") if "json" in answer.headers["content-type"] else ""
            assert code not in {"unknown_route", "unknown_method"}, f"{method} {path}"


async def test_all_answers_of_mapping_and_the_metrics_are_described(running: Running) -> None:
    document = (await running.http.get("/openapi.json")).json()

    def schema(path: str, method: str, status: int, kind: str) -> Any:
        answers = document["paths"][path][method]["responses"]
        return answers[str(status)]["content"][kind]["schema"]

    plan = f"/{running.domain}/mapping?dry_run=true"
    body = {"external_id": "gw-2", "external_key": KEY}
    planned = await running.http.post(plan, json=body, headers=running.headers)
    for answer in (await running.map(), await running.map(), planned):
        told = schema("/{domain_id}/mapping", "post", answer.status_code, "application/json")
        whole = {**told, "components": document["components"]}
        Draft202012Validator(whole).validate(answer.json())
    metrics = await running.http.get("/metrics")
    assert metrics.headers["content-type"].startswith("text/plain")
    assert schema("/metrics", "get", 200, "text/plain")


@pytest.mark.slow
async def test_a_device_names_its_domain_where_others_have_its_id_too(running: Running) -> None:
    await running.map()
    path = f"/{running.domain}/clients/bootstrap/gw-1"
    named = await running.http.get(path, headers={"Authorization": f"Client {KEY}"})
    assert named.status_code == 200
    assert named.json() == (await running.fetch()).json()


async def test_layouts_are_listed_with_their_parameters(running: Running) -> None:
    listed = (await running.http.get("/layouts", headers=running.headers)).json()
    assert listed["default"] == "gateway"
    (gateway,) = (each for each in listed["layouts"] if each["name"] == "gateway")
    assert gateway["good"]
    assert [each["name"] for each in gateway["parameters"]] == ["mqtt_url"]
    assert (await running.http.get("/layouts")).status_code == 401
