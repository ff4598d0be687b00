"""Requests that are not as they should be get an answer that says so."""

from __future__ import annotations

import contextlib
import json
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bootstrap_core.model import is_uuid
from provision.embedded import wire
from provision.embedded.bodies import (
    ChannelBody,
    ClientBody,
    ClientChangeBody,
    ConnectionsBody,
    DomainChangeBody,
)
from provision.embedded.errors import Malformed
from provision.embedded.tables import is_route
from tests.embedded.people import Person

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
MEMBERS = (
    "id name route status tags metadata private_metadata credentials client_ids channel_ids types"
)
BODIES = st.dictionaries(st.sampled_from(MEMBERS.split()), JSON_VALUES, max_size=6)


@given(BODIES)
def test_any_body_is_read_or_refused(body: dict[str, Any]) -> None:
    kinds = (ClientBody, ChannelBody, ClientChangeBody, DomainChangeBody, ConnectionsBody)
    for kind in kinds:
        # Whatever else is raised would be the service's failure, not the caller's.
        with contextlib.suppress(Malformed):
            wire.BODIES.made(wire.BODIES.json(json.dumps(body).encode()), kind)


@given(st.text() | JSON_VALUES.map(json.dumps) | st.binary().map(repr))
def test_any_text_is_json_or_malformed(text: str) -> None:
    with contextlib.suppress(Malformed):
        document = wire.BODIES.json(text.encode("utf-8", "surrogatepass"))
        assert json.loads(json.dumps(document, allow_nan=False)) == document
        assert json.dumps(document, ensure_ascii=False).encode()


@given(st.text(max_size=40))
def test_a_route_is_short_and_readable(text: str) -> None:
    if is_route(text):
        assert text[0].isascii()
        assert text[0].isalpha()
        assert len(text) <= 36
        assert text.isascii()
        assert text.replace("-", "").replace("_", "").isalnum()
        assert not is_uuid(text)


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("rt-1", True),
        ("R_1", True),
        ("a" * 36, True),
        ("a" * 37, False),
        ("1a", False),
        ("", False),
        ("a--b", False),
        ("a__b", False),
        ("a b", False),
        ("a/b", False),
        ("a\n", False),
        ("é", False),
    ],
)
def test_routes(text: str, is_one: bool) -> None:
    assert is_route(text) == is_one


@pytest.fixture
async def domain_id(alice: Person) -> str:
    return await alice.domain("mine")


BAD_BODIES = (
    b"",
    b"{",
    b"null",
    b"7",
    b'"text"',
    b"[]",
    b'{"name": "x"} {}',
    b'{"name": NaN}',
    b'{"metadata": {"n": 1e999}}',
    b'{"name": "\\ud800"}',
    b'{"name": "\\u0000"}',
    b'{"metadata": {"\\u0000": 1}}',
    b'{"ignored": "\\u0000"}',
    b'{"ignored": [{"a": ["\\u0000"]}]}',
    b'{"ignored": {"\\u0000": 1}}',
    b'{"ignored": "\\ud800"}',
    b'{"ignored": 1e999}',
    b'{"name": "\xff"}',
    b'{"name": 7}',
    b'{"name": "' + b"n" * 1025 + b'"}',
    b'{"tags": "a"}',
    b'{"tags": [1]}',
    b'{"metadata": [1]}',
    b'{"metadata": "{}"}',
    b'{"status": "all"}',
    b'{"status": 1}',
    b'{"metadata": ' + b'{"a":' * 200 + b"1" + b"}" * 200 + b"}",
    b"[" * 100_000,
)


async def test_a_bad_body_is_refused(alice: Person, domain_id: str) -> None:
    headers = {"Authorization": f"Bearer {alice.access}", "Content-Type": "application/json"}

    for kind in ("clients", "channels"):
        for body in BAD_BODIES:
            answer = await alice.http.post(f"/{domain_id}/{kind}", content=body, headers=headers)
            assert answer.status_code == 400, body[:60]
            assert answer.json()["message"]


async def test_what_nobody_asks_for_may_be_any_json(alice: Person, domain_id: str) -> None:
    headers = {"Authorization": f"Bearer {alice.access}", "Content-Type": "application/json"}

    for ignored in (b"9" * 400, b"[" * 99 + b"]" * 99, b'"\\\\u0000"', b"null"):
        body = b'{"ignored": ' + ignored + b"}"
        answer = await alice.http.post(f"/{domain_id}/clients", content=body, headers=headers)
        assert answer.status_code == 201, answer.text


@pytest.mark.parametrize(
    "content_type", ["application/json; charset=utf-8", "application/json;charset=UTF-8"]
)
async def test_the_charset_may_be_named(alice: Person, domain_id: str, content_type: str) -> None:
    headers = {"Authorization": f"Bearer {alice.access}", "Content-Type": content_type}

    made = await alice.http.post(f"/{domain_id}/clients", content=b"{}", headers=headers)

    assert made.status_code == 201


BAD_PARAMETERS = (
    "limit=0",
    "limit=101",
    "limit=-1",
    "limit=1.5",
    "limit=1&limit=2",
    "limit=%D9%A1",
    "offset=-1",
    "offset=99999999999999999999",
    "offset=10000000000000000000",
    "offset=" + "1" * 5000,
    "order=id",
    "dir=up",
    "status=gone",
    "metadata=%7B",
    "metadata=[1]",
    "metadata=7",
    'metadata={"a":99999999999999999999}',
    f"metadata={json.dumps({f'k{place}': 1 for place in range(1100)})}",
    "tags=" + ",".join(map(str, range(1100))),
    "only_total=maybe",
    "name=" + "n" * 1025,
    "name=%00",
)


async def test_a_bad_parameter_is_refused(alice: Person, domain_id: str) -> None:
    for kind in ("clients", "channels"):
        for query in BAD_PARAMETERS:
            answer = await alice.ask("GET", f"/{domain_id}/{kind}?{query}")
            assert answer.status_code == 400, query
            assert query.partition("=")[0] in answer.json()["message"] or "status" in query


async def test_odd_paths_name_nothing(alice: Person, domain_id: str) -> None:
    for path in (
        f"/{domain_id}/clients/%00",
        f"/{domain_id}/channels/%00",
        f"/{domain_id}/clients/..%2f..%2fetc",
        f"/{domain_id}/clients/' OR 1=1 --",
        f"/{domain_id}/clients/{'x' * 5000}",
    ):
        assert (await alice.ask("GET", path)).status_code in {403, 404}
    for domain in ("%00", str(uuid4()), "nowhere"):
        assert (await alice.ask("GET", f"/domains/{domain}")).status_code in {403, 404}
        assert (await alice.ask("POST", f"/{domain}/clients", json={})).status_code in {403, 404}


async def test_text_is_kept_as_it_was_sent(alice: Person, domain_id: str) -> None:
    odd = "'; DROP TABLE platform_clients; -- é 漢字 😀 \\ \" %_"
    made = await alice.client(
        domain_id, name=odd, tags=[odd], metadata={odd: odd}, credentials={"secret": odd}
    )

    path = f"/{domain_id}/clients/{made['id']}"
    shown = (await alice.ask("GET", path)).json()
    assert (shown["name"], shown["tags"], shown["metadata"]) == (odd, [odd], {odd: odd})
    assert shown["credentials"]["secret"] == odd
    for params in ({"name": odd.upper()}, {"tags": odd}, {"metadata": json.dumps({odd: odd})}):
        found = await alice.ask("GET", f"/{domain_id}/clients", params=params)
        assert found.json()["total"] == 1, params
    assert (await alice.ask("GET", f"/{domain_id}/clients?name=_")).json()["total"] == 1
    assert (await alice.ask("GET", f"/{domain_id}/clients?name=x_x")).json()["total"] == 0


async def test_too_much_at_once_is_refused(alice: Person, domain_id: str) -> None:
    many = [str(uuid4()) for _ in range(101)]
    pairs = {"client_ids": many, "channel_ids": many, "types": ["publish"]}

    answer = await alice.ask("POST", f"/{domain_id}/channels/connect", json=pairs)

    assert answer.status_code == 400
    assert "10000" in answer.json()["message"]


async def test_lists_are_ordered_as_asked(alice: Person, domain_id: str) -> None:
    ids = {name: (await alice.client(domain_id, name=name))["id"] for name in ("b", "C", "a")}
    await alice.ask("PATCH", f"/{domain_id}/clients/{ids['C']}", json={"metadata": {"x": 1}})

    async def names(query: str) -> str:
        page = (await alice.ask("GET", f"/{domain_id}/clients?{query}")).json()
        return "".join(client["name"] for client in page["clients"])

    assert await names("") == "aCb"
    assert await names("order=created_at&dir=asc") == "bCa"
    assert await names("order=name&dir=asc") == "abC"
    assert await names("order=name&dir=desc") == "Cba"
    assert (await names("order=updated_at&dir=desc"))[0] == "C"


async def test_any_of_several_tags_is_found(alice: Person, domain_id: str) -> None:
    for name, tags in (("one", ["a"]), ("two", ["b", "c"]), ("three", [])):
        await alice.client(domain_id, name=name, tags=tags)
        await alice.channel(domain_id, name=name, tags=tags)

    for kind in ("clients", "channels"):
        for query, count in (("a", 1), ("c", 1), ("a,b", 2), ("d", 0), ("a-b", 0), ("", 3)):
            page = (await alice.ask("GET", f"/{domain_id}/{kind}?tags={query}")).json()
            assert page["total"] == count, (kind, query)


@pytest.mark.parametrize("escape", ["%", "%2", "%zz", "a%G0"])
@pytest.mark.parametrize("kind", ["clients", "channels"])
async def test_a_broken_escape_in_a_list_s_query(
    alice: Person, domain_id: str, kind: str, escape: str
) -> None:
    answer = await alice.ask("GET", f"/{domain_id}/{kind}?name={escape}")
    assert answer.status_code == 400
    assert "two hexadecimal digits" in answer.json()["message"]


async def test_a_connection_is_told_with_its_types_from_both_ends(
    alice: Person, domain_id: str
) -> None:
    client, channel = await alice.client(domain_id), await alice.channel(domain_id)
    ends = {"client_ids": [client["id"]], "channel_ids": [channel["id"]]}
    path = f"/{domain_id}/channels/connect"
    await alice.ask("POST", path, json=ends | {"types": ["subscribe"]})
    ways = {"clients": f"channel={channel['id']}", "channels": f"client={client['id']}"}
    for kind, end in ways.items():
        (row,) = (await alice.ask("GET", f"/{domain_id}/{kind}?{end}")).json()[kind]
        assert row["connection_types"] == ["Subscribe"]
        (row,) = (await alice.ask("GET", f"/{domain_id}/{kind}")).json()[kind]
        assert "connection_types" not in row


@pytest.mark.parametrize("kind", ["clients", "channels"])
async def test_what_another_user_has_is_for_the_administrator_to_ask(
    alice: Person, operator: Person, domain_id: str, kind: str
) -> None:
    await (alice.client if kind == "clients" else alice.channel)(domain_id)
    for user_id, total in ((alice.id, 1), (str(uuid4()), 0)):
        path = f"/{domain_id}/{kind}?user={user_id}"
        assert (await alice.ask("GET", path)).status_code == 403
        assert (await operator.ask("GET", path)).json()["total"] == total


@pytest.mark.parametrize("kind", ["client", "channel"])
async def test_who_has_a_role_on_a_client_or_channel(
    alice: Person, bob: Person, domain_id: str, kind: str
) -> None:
    made = await (alice.client if kind == "client" else alice.channel)(domain_id)
    path = f"/{domain_id}/{kind}s/{made['id']}/roles/members"
    page = (await alice.ask("GET", path)).json()
    assert (page["total"], page["offset"], page["limit"]) == (1, 0, 10)
    (member,) = page["members"]
    assert member["member_id"] == alice.id
    assert [role["role_name"] for role in member["roles"]] == ["admin"]
    assert "delete" in member["roles"][0]["actions"]
    assert (await alice.ask("GET", path + "?offset=1")).json()["members"] == []
    assert (await bob.ask("GET", path)).status_code == 403
