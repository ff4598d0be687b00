"""The OpenAPI document says what the service does: valid, complete, and true of every answer."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from bootstrap_core.http.device_routes import DeviceRoute
from bootstrap_core.http.json_schema import name_of
from bootstrap_core.http.openapi import Operation, describe
from bootstrap_core.http.schemas import SCHEMAS, SECURITY_SCHEMES
from bootstrap_core.throttle import Allowance
from tests.bootstrap.world import ALICE, World, running

TOKENS = {"bearer": f"Bearer {ALICE}", "token": ALICE, "externalKey": "Client k", "thingKey": "k"}

UNKNOWN = "11111111-2222-4333-8444-555555555555"

SCALARS = st.none() | st.booleans() | st.integers(-5, 5) | st.floats(-1, 1) | st.text(max_size=5)
# An ID that is no external ID has no slash and no line feed: those are paths of other routes.
# Segments of dots are taken out of a path before it is sent (RFC 3986, section 5.2.4).
IDS = tuple(
    st.text(letters, min_size=1, max_size=8).filter(lambda text: text not in (".", ".."))
    for letters in (
        st.characters(exclude_characters="/\n", codec="utf-8"),
        st.characters(codec="utf-8"),
    )
)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=5,
)


class Service:
    """A core on an event loop of its own, for tests that are not asynchronous."""

    def __init__(self, directory: Path) -> None:
        self._runner = asyncio.Runner()
        self._stack = contextlib.AsyncExitStack()
        self.world: World = self._runner.run(
            self._stack.enter_async_context(running(directory, failures_per_address=MANY))
        )
        self.operations = list(self.world.core.operations())
        self.document = describe(
            self.operations,
            SCHEMAS,
            title="bootstrap",
            version="1",
            security_schemes=SECURITY_SCHEMES,
        )
        self.ids = self._runner.run(self._seed())

    def call(self, method: str, path: str, **values: Any) -> httpx.Response:
        url = self.world.http.base_url.copy_with(raw_path=path.encode())
        return self._runner.run(self.world.http.request(method, url, **values))

    def close(self) -> None:
        self._runner.run(self._stack.aclose())
        self._runner.close()

    async def _seed(self) -> dict[str, str]:
        world = self.world
        client = world.platform.add_client(world.domain)
        profile = await world.make("bootstrap/profiles", name="p")
        config = await world.make(
            "configs", external_id="gw", external_key="k", profile_id=profile["id"]
        )
        return {
            "domain_id": world.domain,
            "config_id": config["id"],
            "profile_id": profile["id"],
            "version": "1",
            "external_id": "gw",
            "thing_id": config["id"],
            "client_id": client,
        }


MANY = Allowance(failures=10**9, seconds=1.0)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    made = Service(tmp_path_factory.mktemp("openapi"))
    yield made
    made.close()


def test_the_document_is_complete_in_itself(service: Service) -> None:
    names = set(service.document["components"]["schemas"])
    wanted = set(re.findall(r"#/components/schemas/(\w+)", str(service.document)))
    assert wanted <= names
    for schema in service.document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    operation_ids = [each.id for each in service.operations]
    assert len(operation_ids) == len(set(operation_ids))
    schemes = {each.security for each in service.operations}
    assert schemes <= set(service.document["components"]["securitySchemes"])


def test_every_route_is_described(service: Service) -> None:
    described = {(each.method, each.path) for each in service.operations}
    for route in service.world.core.routes():
        if isinstance(route, DeviceRoute) or route.path.endswith("/"):
            continue
        for method in (route.methods or set()) - {"HEAD"}:
            assert (method, route.path) in described


def test_every_description_is_of_a_route(service: Service) -> None:
    for operation in service.operations:
        path = operation.path.format(**service.ids)
        headers = {"Authorization": TOKENS[operation.security]}
        answer = service.call(operation.method, path, headers=headers)
        assert answer.status_code != 405
        assert "there is no such route" not in answer.text
        assert answer.text != "Not Found"


def bodies(schema: dict[str, Any], schemas: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Generate values that are often, but not always, what a schema wants."""
    if "$ref" in schema:
        return st.deferred(lambda: bodies(schemas[schema["$ref"].rpartition("/")[2]], schemas))
    if "enum" in schema:
        return st.sampled_from(schema["enum"]) | ANYTHING
    kind = schema.get("type")
    if kind == "object" and "properties" in schema:
        fields = {name: bodies(each, schemas) for name, each in schema["properties"].items()}
        required = schema.get("required", ())
        wanted = {name: each for name, each in fields.items() if name in required}
        optional = {name: each for name, each in fields.items() if name not in required}
        return st.fixed_dictionaries(wanted, optional=optional)
    if kind == "object":
        return st.dictionaries(st.text(max_size=3), ANYTHING, max_size=2)
    if kind == "array":
        return st.lists(bodies(schema["items"], schemas), max_size=2)
    if kind == "boolean":
        return st.booleans()
    if kind == "string":
        return st.text(min_size=1, max_size=8) | st.sampled_from(["p", UNKNOWN, "{{ .Vars.x }}"])
    return ANYTHING


@st.composite
def requests(draw: st.DrawFn, service: Service) -> tuple[Operation, str, dict[str, Any]]:
    """Draw an operation with a request to it."""
    operation: Operation = draw(st.sampled_from(service.operations))
    ids = {
        name: quote(draw(st.just(value) | IDS[name == "external_id"]), safe="")
        if name != "domain_id"
        else value
        for name, value in service.ids.items()
    }
    query = {
        each.name: draw(st.text(max_size=5) | st.integers(0, 9).map(str))
        for each in operation.parameters
        if each.place == "query" and draw(st.booleans())
    }
    path = operation.path.format(**ids) + (f"?{urlencode(query)}" if query else "")
    values: dict[str, Any] = {}
    if operation.body is not None:
        schema = service.document["components"]["schemas"][name_of(operation.body)]
        strategy = bodies(schema, service.document["components"]["schemas"])
        values["json"] = draw(strategy | ANYTHING)
    return operation, path, values


def check(service: Service, operation: Operation, answer: httpx.Response) -> None:
    """Hold an answer against what the document says of the operation."""
    path = re.sub(r"\{(\w+):\w+\}", r"{\1}", operation.path)
    described = service.document["paths"][path][operation.method.lower()]["responses"]
    assert str(answer.status_code) in described, (operation.id, answer.status_code, answer.text)
    content = described[str(answer.status_code)].get("content")
    if content is None:
        assert answer.content == b""
        return
    kind = answer.headers["content-type"].partition(";")[0]
    assert kind in content
    if kind == "application/json":
        schema = content[kind]["schema"] | {"components": service.document["components"]}
        errors = [each.message for each in Draft202012Validator(schema).iter_errors(answer.json())]
        assert errors == []


@settings(
    max_examples=250,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_no_request_gets_an_answer_that_is_not_described(
    service: Service, data: st.DataObject
) -> None:
    operation, path, values = data.draw(requests(service))
    headers = {"Authorization": TOKENS[operation.security]}
    answer = service.call(operation.method, path, headers=headers, **values)
    assert answer.status_code < 500 or answer.status_code == 503, answer.text
    check(service, operation, answer)


def test_every_operation_succeeds_as_described(tmp_path: Path) -> None:
    with contextlib.closing(Service(tmp_path)) as service:
        ids = service.ids
        bound = {"slot": "s", "type": "client", "resource_id": ids["client_id"]}
        sent: dict[str, dict[str, Any]] = {
            "configs_create": {"external_id": "new", "external_key": "k"},
            "configs_create_with_client": {"external_id": "newer", "external_key": "k"},
            "configs_change": {"name": "new"},
            "configs_change_certificates": {"client_cert": "C"},
            "configs_connect": {"channels": []},
            "profiles_create": {"name": "new"},
            "profiles_upload": {"name": "newer"},
            "profiles_change": {"content_format": "raw"},
            "profiles_preview": {},
            "profiles_preview_draft": {"profile": {}},
            "profiles_replace": {"name": "newest"},
            "enrollments_assign": {"profile_id": ids["profile_id"]},
            "enrollments_bind": {"bindings": [bound]},
            "things_create": {"external_id": "thing", "external_key": "k"},
            "things_change": {"content": "c"},
            "things_change_certificates": {},
            "things_connect": {"channels": []},
            "things_set_state": {"state": 1},
            "configs_replace": {"name": "newest"},
            "clients_set_state": {"state": 1},
        }
        things = {key: body for key, body in sent.items() if key.startswith("things_")}
        sent |= {f"{key}_in_domain": body for key, body in things.items()}
        sent["things_create_in_domain"] = {"external_id": "other thing", "external_key": "k"}
        last = ["configs_remove", "things_remove", "things_remove_in_domain", "profiles_remove"]
        first = [each for each in service.operations if each.id not in ("configs_disable", *last)]
        removals = [each for each in service.operations if each.id in last]
        for operation in (*first, *removals):
            headers = {"Authorization": TOKENS[operation.security]}
            values = {"json": sent[operation.id]} if operation.id in sent else {}
            path = operation.path.format(**ids)
            answer = service.call(operation.method, path, headers=headers, **values)
            # The key that is shown here is not encrypted, as the secure routes want it.
            if "secure" not in operation.id:
                assert answer.is_success, (operation.id, answer.text)
            check(service, operation, answer)
