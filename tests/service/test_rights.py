"""Each route asks for a right: who lacks it is refused, on either platform."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from attrs import field, frozen

from provision.rights import RIGHTS, row_of
from tests.embedded.people import Person
from tests.service.members import member, stranger
from tests.service.running import KEY, Running, answered, beside_platform, embedded

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOTHING = "11111111-2222-4333-8444-555555555555"
ONBOARD = {"client_create", "channel_create"}
SEE = {"client_read", "channel_read"}
MEND = {*SEE, "client_update"}
REMOVE = {*MEND, "client_delete", "channel_delete"}
SINGLE = sorted({*ONBOARD, *REMOVE, "client_connect_to_channel"})
TAKEN = {"external_id": "there", "external_key": KEY}
PROFILE = {"name": "p", "content_format": "json", "content_template": "{}"}


@frozen
class Call:
    """A request that changes nothing, and the actions that it needs."""

    method: str
    path: str
    needs: set[str]
    body: Any = None
    headers: dict[str, str] = field(factory=dict)


def _call(route: str, *needs: str, body: Any = None, add: str = "") -> Call:
    method, path = route.split(" ")
    return Call(method, path + add, set(needs), body)


CALLS = [
    _call("POST /mapping", *ONBOARD, body={}),
    _call("POST /{d}/mapping", *ONBOARD, body={}),
    _call(
        "POST /{d}/mapping",
        *ONBOARD,
        "client_update",
        body={"external_id": "there", "external_key": "wrong"},
    ),
    _call(
        "POST /{d}/mapping",
        *ONBOARD,
        *REMOVE,
        body={
            "external_id": "there",
            "external_key": "k",
            "on_existing": "replace",
            "csrs": {"nobody": "x"},
        },
    ),
    _call(
        "POST /{d}/mapping",
        *ONBOARD,
        *SEE,
        body={"external_id": "there", "external_key": "k"},
        add="?dry_run=true",
    ),
    _call(
        "POST /{d}/mapping",
        *ONBOARD,
        *MEND,
        body={"external_id": "there", "external_key": "wrong", "on_existing": "repair"},
    ),
    _call("GET /mapping"),
    _call("GET /mapping/"),
    _call("GET /{d}/mapping"),
    _call("GET /{d}/mapping/"),
    _call("GET /{d}/mapping/nobody", "client_read"),
    _call("GET /{d}/mapping/there", "client_read"),
    _call("GET /{d}/mapping/there", *SEE, add="?live=true"),
    _call("GET /{d}/mapping/nobody/drift", *SEE),
    _call("DELETE /{d}/mapping/nobody", *REMOVE),
    _call("POST /{d}/plan", "client_read", body={}),
    _call("POST /{d}/plan", "client_read", "client_update", body={"files": {"a.toml": "x"}}),
    _call("GET /{d}/gateways", "client_read"),
    _call("GET /{d}/onboardings", "client_read"),
    _call("GET /{d}/onboardings/{x}", "client_read"),
    _call("DELETE /{d}/onboardings/{x}/leftovers", *REMOVE),
    _call("POST /{d}/onboardings/{x}/retry", "client_update"),
    _call("POST /{d}/onboardings/{x}/undo", *REMOVE),
    _call("POST /{d}/onboardings/{x}/repair", *MEND),
    _call("POST /cert", "client_update", body={"client_id": NOTHING}),
    _call("POST /{d}/cert", "client_update", body={"client_id": NOTHING}),
    _call("GET /{d}/cert", "client_read", add="?client_id=" + NOTHING),
    _call("GET /{d}/cert", "client_read", add="?external_id=there"),
    _call("GET /{d}/cert/00:01", "client_read"),
    _call("POST /{d}/cert/00:01/revoke", "client_update"),
    _call("POST /{d}/cert/00:01/renew", "client_update", body={}),
    _call("POST /{d}/clients/configs", "client_create", body=TAKEN),
    _call("POST /{d}/clients/configs/", "client_create", body=TAKEN),
    _call(
        "POST /{d}/clients/configs/with-client",
        "client_create",
        body={**TAKEN, "client_id": NOTHING},
    ),
    _call("GET /{d}/clients/configs", "client_read"),
    _call("GET /{d}/clients/configs/", "client_read"),
    _call("GET /{d}/clients/configs/{x}", "client_read"),
    _call("PATCH /{d}/clients/configs/{x}", "client_update", body={"name": "n"}),
    _call("DELETE /{d}/clients/configs/{x}", "client_delete"),
    _call("PATCH /{d}/clients/configs/certs/{x}", "client_update", body={"ca_cert": "c"}),
    _call(
        "PUT /{d}/clients/configs/connections/{x}",
        "client_connect_to_channel",
        body={"channels": []},
    ),
    _call("POST /{d}/clients/configs/{x}/enable", "client_update"),
    _call("POST /{d}/clients/configs/{x}/disable", "client_update"),
    _call("GET /{d}/clients/configs/{x}/delivery", "client_read"),
    _call(
        "GET /{d}/clients/configs/{x}/delivery",
        "client_read",
        "client_update",
        add="?show_secrets=true",
    ),
    _call("POST /{d}/clients/bootstrap/profiles", "client_create", body=PROFILE),
    _call("POST /{d}/clients/bootstrap/profiles/", "client_create", body=PROFILE),
    _call("POST /{d}/clients/bootstrap/profiles/upload", "client_create", body=PROFILE),
    _call("GET /{d}/clients/bootstrap/profiles"),
    _call("GET /{d}/clients/bootstrap/profiles/"),
    _call(
        "POST /{d}/clients/bootstrap/profiles/render-preview",
        "client_update",
        body={"profile": {"content_template": "{}"}},
    ),
    _call("GET /{d}/clients/bootstrap/profiles/{x}"),
    _call("PUT /{d}/clients/bootstrap/profiles/{x}", "client_update", body=PROFILE),
    _call("PATCH /{d}/clients/bootstrap/profiles/{x}", "client_update", body={"name": "n"}),
    _call("DELETE /{d}/clients/bootstrap/profiles/{x}", "client_update"),
    _call("GET /{d}/clients/bootstrap/profiles/{x}/versions"),
    _call("GET /{d}/clients/bootstrap/profiles/{x}/versions/1"),
    _call("GET /{d}/clients/bootstrap/profiles/{x}/slots"),
    _call("POST /{d}/clients/bootstrap/profiles/{x}/render-preview", body={}),
    _call(
        "POST /{d}/clients/bootstrap/profiles/{x}/render-preview",
        "client_read",
        body={"config_id": NOTHING},
    ),
    _call(
        "POST /{d}/clients/bootstrap/profiles/{x}/render-preview",
        "client_read",
        "client_update",
        body={"config_id": NOTHING, "show_secrets": True},
    ),
    _call(
        "PATCH /{d}/clients/bootstrap/enrollments/{x}/profile",
        "client_update",
        body={"profile_id": NOTHING},
    ),
    _call(
        "PUT /{d}/clients/bootstrap/enrollments/{x}/bindings",
        "client_update",
        body={"bindings": [{"slot": "s", "type": "client", "resource_id": NOTHING}]},
    ),
    _call("GET /{d}/clients/bootstrap/enrollments/{x}/bindings", "client_read"),
    _call("POST /{d}/clients/bootstrap/enrollments/{x}/bindings/refresh", "client_update"),
    _call("PUT /{d}/clients/configs/{x}", "client_update", body={"name": "n"}),
    _call("PUT /{d}/clients/state/{x}", "client_update", body={"state": 0}),
    *(
        call
        for before in ("", "/{d}")
        for call in (
            _call(f"POST {before}/things/configs", "client_create", body={"external_id": ""}),
            _call(f"GET {before}/things/configs", "client_read"),
            _call(f"GET {before}/things/configs/{{x}}", "client_read"),
            _call(f"PUT {before}/things/configs/{{x}}", "client_update", body={"name": "n"}),
            _call(f"DELETE {before}/things/configs/{{x}}", "client_delete"),
            _call(
                f"PATCH {before}/things/configs/certs/{{x}}",
                "client_update",
                body={"ca_cert": "c"},
            ),
            _call(
                f"PUT {before}/things/configs/connections/{{x}}",
                "client_connect_to_channel",
                body={"channels": []},
            ),
            _call(f"PUT {before}/things/state/{{x}}", "client_update", body={"state": 0}),
        )
    ),
]


@pytest_asyncio.fixture(loop_scope="module", scope="module", params=[embedded, beside_platform])
async def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Running]:
    async with request.param(tmp_path_factory.mktemp("rights")) as service:
        assert (await service.map("there")).status_code == 201
        path = f"/{service.domain}/clients/bootstrap/profiles"
        made = await service.http.post(path, json=PROFILE, headers=service.headers)
        assert made.status_code == 201
        yield service


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def members(running: Running) -> dict[str, tuple[Person, set[str]]]:
    """Return members by name: with one right each, with none, and with what some routes need."""
    rights = {name: {name} for name in SINGLE}
    rights |= {"none": set(), "onboard": ONBOARD, "remove": REMOVE}
    rights |= {"change": MEND, "all": set(SINGLE)}
    return {
        name: (await member(running, name.replace("_", "-"), {"read", *held}), held)
        for name, held in rights.items()
    }


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def outsider(running: Running) -> Person:
    return await stranger(running)


async def _send(running: Running, caller: Person, call: Call) -> tuple[int, str, str]:
    path = call.path.replace("{d}", running.domain).replace("{x}", NOTHING)
    options = {"json": call.body} if call.body is not None else {}
    answer = await caller.ask(call.method, path, **options)
    told = (answer.json() if answer.content else None) or {}
    return answer.status_code, told.get("code", ""), told.get("message", "")


@pytest.mark.parametrize("call", CALLS, ids=lambda call: f"{call.method} {call.path} {call.body}")
async def test_a_route_is_open_to_those_with_its_right_alone(
    running: Running, members: dict[str, tuple[Person, set[str]]], call: Call
) -> None:
    wrong = {}
    for name, (person, held) in members.items():
        status, code, message = await _send(running, person, call)
        refused = (status, code) == (403, "not_permitted")
        if refused != bool(call.needs - held):
            wrong[name] = (status, code, message)
        elif refused:
            named = [action for action in call.needs - held if f'right "{action}" on ' in message]
            assert len(named) == 1, message
        assert status < 500, (name, status, message)
    assert wrong == {}


@pytest.mark.parametrize("call", CALLS, ids=lambda call: f"{call.method} {call.path} {call.body}")
async def test_a_route_is_closed_to_strangers_and_open_to_the_owner(
    running: Running, outsider: Person, call: Call
) -> None:
    owner = Person(running.http, "", "owner", running.token, "")
    status, code, message = await _send(running, owner, call)
    assert status != 403, message
    status, code, message = await _send(running, outsider, call)
    if call.body is None or status not in (400, 415, 422):
        assert status == 403, (status, code, message)


async def test_every_route_has_a_row_and_tells_its_right(running: Running) -> None:
    document = (await running.http.get("/openapi.json")).json()
    told = {
        (method.upper(), path): operation
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method != "parameters"
    }
    assert [place for place, each in told.items() if not each.get("x-required-right")] == []
    assert [
        place for place, each in told.items() if each["x-required-right"] not in each["description"]
    ] == []
    delivery = told["GET", "/{domain_id}/clients/configs/{config_id}/delivery"]
    assert delivery["x-required-right"] == (
        "`client_read` on the domain, or on the client that the config belongs to; with "
        "show_secrets: `client_update` on the domain, or on the client that the config belongs to"
    )


async def test_a_route_without_a_row_is_told() -> None:
    with pytest.raises(LookupError, match=r"GET /new has no row in provision/rights\.py"):
        row_of("GET", "/new")


async def test_the_table_has_no_row_without_a_route_and_the_matrix_leaves_none_out(
    running: Running,
) -> None:
    document = (await running.http.get("/openapi.json")).json()
    served = {
        (method.upper(), path.rstrip("/"))
        for path, item in document["paths"].items()
        for method in item
        if method != "parameters"
    }
    rows = {(method, path.replace(":path}", "}")) for method, path in RIGHTS}
    assert rows - served == set()
    tried = {(each.method, _shape(each.path)) for each in CALLS}
    asking = {(m, _shape(p)) for (m, p), row in RIGHTS.items() if not row.instead}
    assert asking - tried == set()


def _shape(path: str) -> str:
    """Return a path with its parameters and examples left open."""
    path = path.partition("?")[0].rstrip("/")
    examples = ("nobody", "there", "00:01", "{d}", "{x}")
    parts = ["*" if part in examples or part.startswith("{") else part for part in path.split("/")]
    if "versions" in parts[:-1]:
        parts[-1] = "*"
    return "/".join(parts)


async def test_a_reader_sees_no_secret_and_cuts_no_device_off(
    running: Running, members: dict[str, tuple[Person, set[str]]]
) -> None:
    reader = members["none"][0]
    made = (await running.map("there")).json()
    config = made["bootstrap"]["config_id"]
    path = f"/{running.domain}/clients/configs/{config}"
    for method, tail, body in (
        ("GET", "/delivery?show_secrets=true", None),
        ("POST", "/disable", None),
        ("DELETE", "", None),
        ("PATCH", "", {"name": "x"}),
    ):
        answer = await reader.ask(method, path + tail, json=body)
        assert (answer.status_code, answer.json()["code"]) == (403, "not_permitted"), answer.text
        assert f"client {config}" in answer.json()["message"]
    gone = await reader.ask("DELETE", f"/{running.domain}/mapping/there")
    assert gone.status_code == 403
    again = await reader.ask(
        "POST", f"/{running.domain}/mapping", json={"external_id": "there", "external_key": KEY}
    )
    assert again.status_code == 403
    assert (await running.fetch("there")).status_code == 200


async def test_who_made_a_client_may_do_with_it_what_the_platform_lets_them(tmp_path: Path) -> None:
    """Magistrala gives the creator of a client all rights on it, and lists tell them."""
    async with beside_platform(tmp_path) as running:
        config = (await running.map("own")).json()["bootstrap"]["config_id"]
        creator = await member(running, "creator", {"read", "client_create"})
        path = f"/{running.domain}/clients/configs/{config}/disable"
        assert running.wire is not None
        assert (await creator.ask("POST", path)).status_code == 403

        shown = (
            await running.platform.get(
                f"/{running.domain}/clients?id={config}", headers=running.headers
            )
        ).json()
        shown["clients"][0] |= {"actions": ["read", "update"], "access_type": "direct"}
        await _forget(running)
        running.wire.fail("GET", f"/{running.domain}/clients", answered(200, shown))
        another = await member(running, "other", {"read", "client_create"})
        before = len(running.wire.calls)

        assert (await another.ask("POST", path)).status_code == 200
        assert len(running.wire.calls) - before == 2
        assert (await another.ask("POST", path)).status_code == 200
        assert len(running.wire.calls) - before == 2
        assert (await another.ask("GET", path.removesuffix("/disable"))).status_code == 200
        refused = await another.ask("DELETE", path.removesuffix("/disable"))
        assert refused.status_code == 403
        assert f'right "client_delete" on client {config}' in refused.json()["message"]


async def test_to_be_shown_a_client_is_the_right_to_read_it_and_no_more(tmp_path: Path) -> None:
    """A list need not tell the actions."""
    async with beside_platform(tmp_path) as running:
        config = (await running.map()).json()["bootstrap"]["config_id"]
        someone = await member(running, "someone", {"read"})
        path = f"/{running.domain}/clients?id={config}"
        shown = (await running.platform.get(path, headers=running.headers)).json()
        del shown["clients"][0]["actions"]
        assert running.wire is not None
        running.wire.fail("GET", f"/{running.domain}/clients", answered(200, shown))
        at = f"/{running.domain}/clients/configs/{config}"
        assert (await someone.ask("GET", at)).status_code == 200
        assert (await someone.ask("POST", f"{at}/disable")).status_code == 403


async def _forget(running: Running) -> None:
    assert running.wire is not None
    running.wire.faults.clear()


async def test_the_scopes_of_a_personal_token_count_where_a_client_is_shown(
    tmp_path: Path,
) -> None:
    """The roles are the user's, all of them; the token itself may only read domains."""
    async with beside_platform(tmp_path) as running:
        config = (await running.map()).json()["bootstrap"]["config_id"]
        path = f"/{running.domain}/clients/configs/{config}/delivery?show_secrets=true"
        assert running.wire is not None

        async def as_owner(request: httpx.Request, inner: httpx.AsyncBaseTransport) -> Any:
            request.headers["Authorization"] = f"Bearer {running.token}"
            return await inner.handle_async_request(request)

        running.wire.fail("GET", "/domains/", as_owner)
        running.wire.fail("GET", f"/{running.domain}/clients", answered(403))
        headers = {"Authorization": "Bearer pat_of_the_owner"}
        refused = await running.http.get(path, headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (403, "not_permitted")

        running.wire.faults.clear()
        running.wire.fail("GET", "/", as_owner)
        shown = await running.http.get(path, headers=headers)
        assert shown.status_code == 200
        unknown = await running.http.get(f"/{running.domain}/mapping/nobody", headers=headers)
        assert unknown.status_code == 404
        await running.platform.delete(
            f"/{running.domain}/clients/{config}", headers=running.headers
        )
        other = {"Authorization": "Bearer pat_another"}
        gone = await running.http.delete(path.partition("/delivery")[0], headers=other)
        assert gone.status_code == 204


async def test_the_right_costs_no_call_more_than_the_membership(tmp_path: Path) -> None:
    async with beside_platform(tmp_path) as running:
        assert running.wire is not None
        await running.get("/clients/configs")
        assert running.wire.calls == [f"GET /domains/{running.domain}"]
        running.wire.calls.clear()
        assert (await running.map()).status_code == 201
        assert sorted(running.wire.calls) == [
            f"POST /{running.domain}/channels/bulk",
            f"POST /{running.domain}/channels/connect",
            f"POST /{running.domain}/clients/bulk",
        ]
