"""The adapter understands what a real Magistrala was recorded to answer.

Each call of the adapter is answered with one recorded exchange. What the adapter sends has to be
what was recorded too: the method, the path, and the body where both have one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

import httpx
import pytest
from pytest_httpx import HTTPXMock

from bootstrap_core.model import Status
from bootstrap_core.secrets import Secret
from provision.platform.types import (
    Connections,
    EntityChange,
    EntityQuery,
    NewChannel,
    StatusFilter,
)
from tests.platform.exchange import (
    NOWHERE,
    ROWS,
    A,
    Act,
    T,
    client,
    compare,
    parameters,
    play,
    same_request,
)

ENTITIES: Final[Mapping[str, Act]] = {
    "clients.view.full": lambda p, _: p.clients.view(T, A, "{{c1}}"),
    "clients.view.super_admin": lambda p, _: p.clients.view(T, A, "{{c1}}"),
    "clients.secret.view": lambda p, _: p.clients.view(T, A, "{{c1}}"),
    "clients.update.metadata": lambda p, _: p.clients.update(
        T, A, "{{c1}}", EntityChange(metadata={"external_id": "y", "new": True})
    ),
    "clients.update.name": lambda p, _: p.clients.update(
        T, A, "{{c1}}", EntityChange(name="c-renamed")
    ),
    "clients.update.empty_metadata": lambda p, _: p.clients.update(
        T, A, "{{c1}}", EntityChange(metadata={})
    ),
    "clients.tags.ok": lambda p, _: p.clients.update(T, A, "{{c1}}", EntityChange(tags=["z"])),
    "channels.view.full": lambda p, _: p.channels.view(T, A, "{{ch1}}"),
    "channels.update.metadata": lambda p, _: p.channels.update(
        T, A, "{{ch1}}", EntityChange(metadata={"x": 1})
    ),
    "channels.update.name": lambda p, _: p.channels.update(
        T, A, "{{ch1}}", EntityChange(name="ch-ren")
    ),
}
LISTS: Final[Mapping[str, Act]] = {
    "clients.list.empty": lambda p, _: p.clients.list(T, A, EntityQuery()),
    "clients.list.limit2": lambda p, _: p.clients.list(T, A, EntityQuery(limit=2)),
    "clients.list.page2": lambda p, _: p.clients.list(T, A, EntityQuery(offset=2, limit=2)),
    "clients.list.name": lambda p, _: p.clients.list(T, A, EntityQuery(name="bk-")),
    "clients.list.metadata": lambda p, _: p.clients.list(
        T, A, EntityQuery(metadata={"external_id": "x"})
    ),
    "clients.list.status_disabled": lambda p, _: p.clients.list(
        T, A, EntityQuery(status=StatusFilter.DISABLED)
    ),
    "clients.list.offset_huge": lambda p, _: p.clients.list(T, A, EntityQuery(offset=1000)),
    "clients.list.id": lambda p, _: p.clients.list(T, A, EntityQuery(id="{{c1}}")),
    "clients.list.non_member": lambda p, _: p.clients.list(T, A, EntityQuery()),
    "channels.list.limit2": lambda p, _: p.channels.list(T, A, EntityQuery(limit=2)),
    "channels.list.name": lambda p, _: p.channels.list(T, A, EntityQuery(name="bk-")),
    "channels.list.non_member": lambda p, _: p.channels.list(T, A, EntityQuery()),
    "channels.connect.clients_of_channel": lambda p, _: p.clients.list(
        T, A, EntityQuery(connected_to="{{ch1}}")
    ),
}
FULFILLED: Final[Mapping[str, Act]] = {
    "clients.disable.ok": lambda p, _: p.clients.set_status(T, A, "{{c1}}", Status.DISABLED),
    "clients.disable.again": lambda p, _: p.clients.set_status(T, A, "{{c1}}", Status.DISABLED),
    "clients.enable.ok": lambda p, _: p.clients.set_status(T, A, "{{c1}}", Status.ENABLED),
    "clients.enable.again": lambda p, _: p.clients.set_status(T, A, "{{c1}}", Status.ENABLED),
    "clients.delete.ok": lambda p, _: p.clients.delete(T, A, "{{c1}}"),
    "channels.disable.ok": lambda p, _: p.channels.set_status(T, A, "{{ch1}}", Status.DISABLED),
    "channels.disable.again": lambda p, _: p.channels.set_status(T, A, "{{ch1}}", Status.DISABLED),
    "channels.enable.ok": lambda p, _: p.channels.set_status(T, A, "{{ch1}}", Status.ENABLED),
    "channels.connect.delete_channel": lambda p, _: p.channels.delete(T, A, "{{ch1}}"),
    "channels.connect.domain.ok": lambda p, _: p.connect(
        T, A, Connections(["{{cl1}}"], ["{{ch1}}", "{{ch2}}"])
    ),
    "channels.connect.disconnect.domain": lambda p, _: p.disconnect(
        T, A, Connections(["{{cl1}}"], ["{{ch1}}"])
    ),
    "channels.connect.disconnect.again": lambda p, _: p.disconnect(
        T, A, Connections(["{{cl1}}"], ["{{ch1}}"])
    ),
    "certs.delete.entity": lambda _, c: c.revoke_client_certificates(T, A, "{{client_id}}"),
    "certs.delete.entity_again": lambda _, c: c.revoke_client_certificates(T, A, "{{client_id}}"),
}


@pytest.mark.parametrize("name", ENTITIES)
async def test_a_recorded_client_or_channel_is_read_whole(name: str, httpx_mock: HTTPXMock) -> None:
    entity, wire = await play(httpx_mock, name, ENTITIES[name])

    compare(entity, wire.answer["json"])
    same_request(wire)
    if "json" in wire.row["request"]:
        assert json.loads(wire.sent[0].content) == wire.row["request"]["json"]


@pytest.mark.parametrize("name", LISTS)
async def test_a_recorded_list_is_read_whole(name: str, httpx_mock: HTTPXMock) -> None:
    page, wire = await play(httpx_mock, name, LISTS[name])

    recorded = wire.answer["json"]
    assert (page.total, page.offset, page.limit) == (
        recorded["total"],
        recorded.get("offset", 0),
        recorded["limit"],
    )
    listed = recorded.get("clients", recorded.get("channels", []))
    assert len(page.items) == len(listed)
    for entity, each in zip(page.items, listed, strict=True):
        compare(entity, each)
    asked = parameters(httpx.URL(f"http://x{wire.row['request']['path']}"))
    sent = parameters(wire.sent[0].url)
    assert {name: sent[name] for name in asked} == asked
    same_request(wire)


@pytest.mark.parametrize("name", FULFILLED)
async def test_what_was_done_or_is_so_already_is_no_error(name: str, httpx_mock: HTTPXMock) -> None:
    result, wire = await play(httpx_mock, name, FULFILLED[name])

    assert result is None
    same_request(wire)
    if "json" in wire.row["request"]:
        assert json.loads(wire.sent[0].content) == wire.row["request"]["json"]


async def test_recorded_bulk_creation_is_asked_for_and_read_as_recorded(
    httpx_mock: HTTPXMock,
) -> None:
    made, wire = await play(
        httpx_mock,
        "clients.bulk.caller_ids_secrets",
        lambda p, _: p.clients.create(
            T, A, [client("{{b1}}", "bk-3", "bk-sec-3"), client("{{b2}}", "bk-4", "bk-sec-4")]
        ),
    )

    for entity, recorded in zip(made, wire.answer["json"]["clients"], strict=True):
        compare(entity, recorded)
    for sent, recorded in zip(
        json.loads(wire.sent[0].content), wire.row["request"]["json"], strict=True
    ):
        assert sent | recorded == sent
    same_request(wire)


async def test_recorded_channels_in_bulk(httpx_mock: HTTPXMock) -> None:
    drafts = [NewChannel("{{k1}}", "bk-3"), NewChannel("{{k2}}", "bk-4")]

    made, wire = await play(
        httpx_mock, "channels.bulk.caller_ids", lambda p, _: p.channels.create(T, A, drafts)
    )

    assert [each.id for each in made] == ["{{k1}}", "{{k2}}"]
    same_request(wire)


async def test_a_changed_secret_is_in_the_result_though_not_in_the_answer(
    httpx_mock: HTTPXMock,
) -> None:
    changed, wire = await play(
        httpx_mock,
        "clients.secret.ok",
        lambda p, _: p.clients.update_secret(T, A, "{{c1}}", Secret("brand-new-secret")),
    )

    assert changed.secret == Secret("brand-new-secret")
    same_request(wire)


@pytest.mark.parametrize(
    ("name", "user"),
    [
        ("users.token.issue.ok", "{{alice_username}}"),
        ("users.token.issue.by_email", "{{alice_email}}"),
    ],
)
async def test_signing_in(name: str, user: str, httpx_mock: HTTPXMock) -> None:
    pair, wire = await play(httpx_mock, name, lambda p, _: p.issue_token(user, Secret("12345678")))

    assert pair.access.reveal() == wire.answer["json"]["access_token"]
    assert pair.refresh.reveal() == wire.answer["json"]["refresh_token"]
    assert json.loads(wire.sent[0].content) == wire.row["request"]["json"]
    same_request(wire)


async def test_refreshing_announces_json_as_the_service_demands(httpx_mock: HTTPXMock) -> None:
    pair, wire = await play(
        httpx_mock,
        "users.token.refresh.ok_json_ct",
        lambda p, _: p.refresh_token(Secret("{{refresh}}")),
    )

    assert pair.access.reveal() == "{{access2}}"
    assert wire.sent[0].headers["content-type"] == "application/json"
    assert wire.sent[0].headers["authorization"] == "Bearer {{refresh}}"
    same_request(wire)


async def test_the_user_behind_a_token(httpx_mock: HTTPXMock) -> None:
    user, wire = await play(httpx_mock, "users.token.profile.access", lambda p, _: p.view_user(T))

    assert (user.id, user.username, user.email) == (
        "{{alice_id}}",
        "{{alice_username}}",
        "{{alice_email}}",
    )
    assert (user.role, user.status) == ("user", Status.ENABLED)
    same_request(wire)


async def test_a_domain(httpx_mock: HTTPXMock) -> None:
    domain, wire = await play(
        httpx_mock, "domains.get.super_admin", lambda p, _: p.view_domain(T, "{{dom_id}}")
    )

    assert (domain.id, domain.name, domain.route) == ("{{dom_id}}", "dom-x", "{{dom_route}}")
    assert (domain.status, list(domain.tags)) == (Status.ENABLED, ["t"])
    assert domain.metadata == {"k": "v"}
    same_request(wire)


async def test_a_list_of_no_domains(httpx_mock: HTTPXMock) -> None:
    page, wire = await play(
        httpx_mock, "domains.list.non_member", lambda p, _: p.list_domains(T, 0, 2)
    )

    assert (page.total, page.limit, list(page.items)) == (0, 2, [])
    same_request(wire)


async def test_a_list_of_certificates(httpx_mock: HTTPXMock) -> None:
    recorded = ROWS["certs.list.entity_none"]["response"]["json"]
    found, wire = await play(
        httpx_mock, "certs.list.entity_none", lambda _, c: c.list_certificates(T, A, NOWHERE)
    )

    assert recorded["total"] == 0
    assert found == []
    assert wire.sent[0].url.params["entity_id"] == NOWHERE
    same_request(wire)
