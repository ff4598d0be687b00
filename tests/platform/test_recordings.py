"""The adapter understands what a real Magistrala was recorded to answer.

Each call of the adapter is answered with one recorded exchange. What the adapter sends has to be
what was recorded too: the method, the path, and the body where both have one.
"""

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from bootstrap_core.secret import Secret
from provision.platform.errors import (
    AlreadyExists,
    DomainNotFound,
    Failed,
    InvalidToken,
    NotAMember,
    NotFound,
    PlatformError,
    Rejected,
)
from provision.platform.magistrala import Magistrala
from provision.platform.magistrala_certificates import MagistralaCertificates
from provision.platform.magistrala_settings import TransportSettings
from provision.platform.magistrala_transport import Transport
from provision.platform.types import (
    ChannelChange,
    ChannelQuery,
    Client,
    ClientChange,
    ClientQuery,
    Connections,
    ConnectionType,
    NewChannel,
    NewClient,
    SigningRequest,
    Status,
    StatusFilter,
)
from tests.platform.faulty import endpoints

RECORDINGS: Final = Path(__file__).parent.parent / "data" / "golden"
NOWHERE: Final = "11111111-2222-4333-8444-555555555555"
TIME: Final = "2026-01-02T03:04:05.123456789Z"
A, T = "{{domain_a}}", Secret("{{alice_token}}")
SIGNED: Final = SigningRequest("{{client_id}}", "csr", timedelta(hours=24))


class Exchange(httpx.AsyncBaseTransport):
    """A wire on which one recorded exchange takes place, again and again."""

    def __init__(self, name: str) -> None:
        self.row = ROWS[name]
        self.sent: list[httpx.Request] = []

    @property
    def answer(self) -> Mapping[str, Any]:
        answer: Mapping[str, Any] = self.row["response"]
        return answer

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(request)
        body = json.dumps(self.answer["json"]) if "json" in self.answer else ""
        return httpx.Response(self.answer["status"], text=body.replace("<time>", TIME))


def rows() -> Mapping[str, Mapping[str, Any]]:
    found = {}
    for path in RECORDINGS.glob("*.jsonl"):
        for line in path.read_text().splitlines():
            row = json.loads(line)
            found[row["id"]] = row
    return found


ROWS: Final = rows()
Act = Callable[[Magistrala, MagistralaCertificates], Awaitable[Any]]


async def play(name: str, act: Act) -> tuple[Any, Exchange]:
    wire = Exchange(name)
    settings = TransportSettings(attempts=1)
    async with Transport(endpoints("http://magistrala.test"), settings, wire) as transport:
        platform = Magistrala(transport)
        result = await act(platform, MagistralaCertificates(transport, platform))
    return result, wire


def same_request(wire: Exchange) -> None:
    """The adapter asked as was recorded."""
    sent, recorded = wire.sent[0], wire.row["request"]
    path = re.sub(r"%7B%7B(\w+)%7D%7D", r"{{\1}}", sent.url.raw_path.decode())
    assert (sent.method, path.partition("?")[0]) == (
        recorded["method"],
        recorded["path"].partition("?")[0],
    )


def parameters(url: httpx.URL) -> dict[str, Any]:
    """Return the query, without the order, which the adapter leaves as it is."""
    found: dict[str, Any] = {
        name: value for name, value in url.params.items() if name not in ("order", "dir")
    }
    if "metadata" in found:
        found["metadata"] = json.loads(found["metadata"])
    return found


def compare(client: Any, recorded: Mapping[str, Any]) -> None:
    """Every field that client and recording both have is the same."""
    assert client.id == recorded["id"]
    assert client.name == recorded.get("name", "")
    assert client.domain_id == recorded["domain_id"]
    assert client.metadata == recorded.get("metadata", {})
    assert list(client.tags) == recorded.get("tags", [])
    assert client.status.value == recorded["status"]
    assert client.created_at.isoformat() == "2026-01-02T03:04:05.123456+00:00"
    assert (client.updated_at is None) == (recorded["updated_at"] != "<time>")
    if isinstance(client, Client):
        credentials = recorded["credentials"]
        assert client.secret.reveal() == credentials.get("secret", "")
        assert client.identity == credentials.get("identity", "")
    else:
        assert client.route == recorded.get("route", "")


def client(client_id: str, name: str = "x", secret: str = "s") -> NewClient:
    return NewClient(client_id, name, Secret(secret))


ENTITIES: Final[Mapping[str, Act]] = {
    "clients.view.full": lambda p, _: p.view_client(T, A, "{{c1}}"),
    "clients.view.super_admin": lambda p, _: p.view_client(T, A, "{{c1}}"),
    "clients.secret.view": lambda p, _: p.view_client(T, A, "{{c1}}"),
    "clients.update.metadata": lambda p, _: p.update_client(
        T, A, "{{c1}}", ClientChange(metadata={"external_id": "y", "new": True})
    ),
    "clients.update.name": lambda p, _: p.update_client(
        T, A, "{{c1}}", ClientChange(name="c-renamed")
    ),
    "clients.update.empty_metadata": lambda p, _: p.update_client(
        T, A, "{{c1}}", ClientChange(metadata={})
    ),
    "clients.tags.ok": lambda p, _: p.update_client(T, A, "{{c1}}", ClientChange(tags=["z"])),
    "channels.view.full": lambda p, _: p.view_channel(T, A, "{{ch1}}"),
    "channels.update.metadata": lambda p, _: p.update_channel(
        T, A, "{{ch1}}", ChannelChange(metadata={"x": 1})
    ),
    "channels.update.name": lambda p, _: p.update_channel(
        T, A, "{{ch1}}", ChannelChange(name="ch-ren")
    ),
}
LISTS: Final[Mapping[str, Act]] = {
    "clients.list.empty": lambda p, _: p.list_clients(T, A, ClientQuery()),
    "clients.list.limit2": lambda p, _: p.list_clients(T, A, ClientQuery(limit=2)),
    "clients.list.page2": lambda p, _: p.list_clients(T, A, ClientQuery(offset=2, limit=2)),
    "clients.list.name": lambda p, _: p.list_clients(T, A, ClientQuery(name="bk-")),
    "clients.list.metadata": lambda p, _: p.list_clients(
        T, A, ClientQuery(metadata={"external_id": "x"})
    ),
    "clients.list.status_disabled": lambda p, _: p.list_clients(
        T, A, ClientQuery(status=StatusFilter.DISABLED)
    ),
    "clients.list.offset_huge": lambda p, _: p.list_clients(T, A, ClientQuery(offset=1000)),
    "clients.list.id": lambda p, _: p.list_clients(T, A, ClientQuery(id="{{c1}}")),
    "clients.list.non_member": lambda p, _: p.list_clients(T, A, ClientQuery()),
    "channels.list.limit2": lambda p, _: p.list_channels(T, A, ChannelQuery(limit=2)),
    "channels.list.name": lambda p, _: p.list_channels(T, A, ChannelQuery(name="bk-")),
    "channels.list.non_member": lambda p, _: p.list_channels(T, A, ChannelQuery()),
    "channels.connect.clients_of_channel": lambda p, _: p.list_clients(
        T, A, ClientQuery(channel_id="{{ch1}}")
    ),
}
FULFILLED: Final[Mapping[str, Act]] = {
    "clients.disable.ok": lambda p, _: p.disable_client(T, A, "{{c1}}"),
    "clients.disable.again": lambda p, _: p.disable_client(T, A, "{{c1}}"),
    "clients.enable.ok": lambda p, _: p.enable_client(T, A, "{{c1}}"),
    "clients.enable.again": lambda p, _: p.enable_client(T, A, "{{c1}}"),
    "clients.delete.ok": lambda p, _: p.delete_client(T, A, "{{c1}}"),
    "channels.disable.ok": lambda p, _: p.disable_channel(T, A, "{{ch1}}"),
    "channels.disable.again": lambda p, _: p.disable_channel(T, A, "{{ch1}}"),
    "channels.enable.ok": lambda p, _: p.enable_channel(T, A, "{{ch1}}"),
    "channels.connect.delete_channel": lambda p, _: p.delete_channel(T, A, "{{ch1}}"),
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
REFUSED: Final[Mapping[str, tuple[type[PlatformError], Act]]] = {
    "clients.bulk.duplicate_id_existing": (
        AlreadyExists,
        lambda p, _: p.create_clients(T, A, [client("{{b3}}"), client("{{b1}}")]),
    ),
    "clients.bulk.duplicate_secret_existing": (
        AlreadyExists,
        lambda p, _: p.create_clients(T, A, [client("{{b3}}", secret="bk-sec-3")]),
    ),
    "clients.bulk.one_bad_id": (Rejected, lambda p, _: p.create_clients(T, A, [client("abc")])),
    "clients.bulk.no_token": (InvalidToken, lambda p, _: p.create_clients(T, A, [client("x")])),
    "clients.bulk.non_member": (NotAMember, lambda p, _: p.create_clients(T, A, [client("x")])),
    "clients.view.unknown": (NotFound, lambda p, _: p.view_client(T, A, NOWHERE)),
    "clients.view.non_member": (NotFound, lambda p, _: p.view_client(T, A, "{{c1}}")),
    "clients.view.no_token": (InvalidToken, lambda p, _: p.view_client(T, A, "{{c1}}")),
    "clients.list.limit101": (
        Rejected,
        lambda p, _: p.list_clients(T, A, ClientQuery(limit=101)),
    ),
    "clients.update.non_member": (
        NotFound,
        lambda p, _: p.update_client(T, A, "{{c1}}", ClientChange(name="x")),
    ),
    "clients.update.disabled_client": (
        NotFound,
        lambda p, _: p.update_client(T, A, "{{c1}}", ClientChange(name="while-disabled")),
    ),
    "clients.secret.duplicate": (
        AlreadyExists,
        lambda p, _: p.update_client_secret(T, A, "{{c1}}", Secret("bk-sec-3")),
    ),
    "clients.secret.unknown": (
        NotFound,
        lambda p, _: p.update_client_secret(T, A, NOWHERE, Secret("q")),
    ),
    "clients.enable.unknown": (NotFound, lambda p, _: p.enable_client(T, A, NOWHERE)),
    "clients.delete.again": (NotFound, lambda p, _: p.delete_client(T, A, "{{c1}}")),
    "clients.delete.non_member": (NotFound, lambda p, _: p.delete_client(T, A, "{{c1}}")),
    "channels.bulk.duplicate_id_existing": (
        AlreadyExists,
        lambda p, _: p.create_channels(T, A, [NewChannel("{{k3}}", "x")]),
    ),
    "channels.bulk.duplicate_route": (
        AlreadyExists,
        lambda p, _: p.create_channels(T, A, [NewChannel("k", "x", route="rt-1")]),
    ),
    "channels.bulk.non_member": (
        NotAMember,
        lambda p, _: p.create_channels(T, A, [NewChannel("k", "x")]),
    ),
    "channels.view.non_member": (NotFound, lambda p, _: p.view_channel(T, A, "{{ch1}}")),
    "channels.update.unknown": (
        NotFound,
        lambda p, _: p.update_channel(T, A, NOWHERE, ChannelChange(name="x")),
    ),
    "channels.list.limit0": (Rejected, lambda p, _: p.list_channels(T, A, ChannelQuery(limit=0))),
    "channels.connect.domain.again": (
        AlreadyExists,
        lambda p, _: p.connect(T, A, Connections(["{{cl1}}"], ["{{ch1}}", "{{ch2}}"])),
    ),
    "channels.connect.domain.partly_new": (
        AlreadyExists,
        lambda p, _: p.connect(T, A, Connections(["{{cl1}}", "{{cl2}}"], ["{{ch1}}"])),
    ),
    "channels.connect.unknown_client": (
        NotFound,
        lambda p, _: p.connect(T, A, Connections([NOWHERE], ["{{ch1}}"])),
    ),
    "channels.connect.type_twice": (
        Rejected,
        lambda p, _: p.connect(
            T, A, Connections(["{{cl3}}"], ["{{ch1}}"], [ConnectionType.PUBLISH] * 2)
        ),
    ),
    "channels.connect.disconnect.unknown_client": (
        NotFound,
        lambda p, _: p.disconnect(T, A, Connections([NOWHERE], ["{{ch1}}"])),
    ),
    "channels.connect.delete_channel.again": (
        NotFound,
        lambda p, _: p.delete_channel(T, A, "{{ch1}}"),
    ),
    "users.token.issue.unknown_user": (
        NotFound,
        lambda p, _: p.issue_token("nobody-here", Secret("12345678")),
    ),
    "users.token.issue.empty_password": (
        Rejected,
        lambda p, _: p.issue_token("{{alice_username}}", Secret("")),
    ),
    "users.token.refresh.garbage": (InvalidToken, lambda p, _: p.refresh_token(Secret("garbage"))),
    "users.token.refresh.with_access_token": (
        Failed,
        lambda p, _: p.refresh_token(Secret("{{access}}")),
    ),
    "users.token.profile.garbage": (InvalidToken, lambda p, _: p.view_user(Secret("a.b.c"))),
    "domains.get.unknown": (DomainNotFound, lambda p, _: p.view_domain(T, NOWHERE)),
    "domains.get.bad_token": (InvalidToken, lambda p, _: p.view_domain(T, "{{dom_id}}")),
    "certs.view.non_member": (NotAMember, lambda _, c: c.view_certificate(T, A, "{{serial}}")),
    "certs.view.no_token": (InvalidToken, lambda _, c: c.view_certificate(T, A, "{{serial}}")),
    "certs.list.no_token": (InvalidToken, lambda _, c: c.list_certificates(T, A, "x")),
}


@pytest.mark.parametrize("name", ENTITIES)
async def test_a_recorded_client_or_channel_is_read_whole(name: str) -> None:
    entity, wire = await play(name, ENTITIES[name])

    compare(entity, wire.answer["json"])
    same_request(wire)
    if "json" in wire.row["request"]:
        assert json.loads(wire.sent[0].content) == wire.row["request"]["json"]


@pytest.mark.parametrize("name", LISTS)
async def test_a_recorded_list_is_read_whole(name: str) -> None:
    page, wire = await play(name, LISTS[name])

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
async def test_what_was_done_or_is_so_already_is_no_error(name: str) -> None:
    result, wire = await play(name, FULFILLED[name])

    assert result is None
    same_request(wire)
    if "json" in wire.row["request"]:
        assert json.loads(wire.sent[0].content) == wire.row["request"]["json"]


@pytest.mark.parametrize("name", REFUSED)
async def test_a_recorded_refusal_means_what_it_means(name: str) -> None:
    kind, act = REFUSED[name]

    with pytest.raises(PlatformError) as caught:
        await play(name, act)

    assert type(caught.value) is kind
    message = ROWS[name]["response"].get("json", {}).get("message", "")
    assert message in str(caught.value)
    assert caught.value.service == ROWS[name]["request"]["service"]


async def test_recorded_bulk_creation_is_asked_for_and_read_as_recorded() -> None:
    made, wire = await play(
        "clients.bulk.caller_ids_secrets",
        lambda p, _: p.create_clients(
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


async def test_recorded_channels_in_bulk() -> None:
    drafts = [NewChannel("{{k1}}", "bk-3"), NewChannel("{{k2}}", "bk-4")]

    made, wire = await play(
        "channels.bulk.caller_ids", lambda p, _: p.create_channels(T, A, drafts)
    )

    assert [each.id for each in made] == ["{{k1}}", "{{k2}}"]
    same_request(wire)


async def test_a_changed_secret_is_in_the_result_though_not_in_the_answer() -> None:
    changed, wire = await play(
        "clients.secret.ok",
        lambda p, _: p.update_client_secret(T, A, "{{c1}}", Secret("brand-new-secret")),
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
async def test_signing_in(name: str, user: str) -> None:
    pair, wire = await play(name, lambda p, _: p.issue_token(user, Secret("12345678")))

    assert pair.access.reveal() == wire.answer["json"]["access_token"]
    assert pair.refresh.reveal() == wire.answer["json"]["refresh_token"]
    assert json.loads(wire.sent[0].content) == wire.row["request"]["json"]
    same_request(wire)


async def test_refreshing_announces_json_as_the_service_demands() -> None:
    pair, wire = await play(
        "users.token.refresh.ok_json_ct", lambda p, _: p.refresh_token(Secret("{{refresh}}"))
    )

    assert pair.access.reveal() == "{{access2}}"
    assert wire.sent[0].headers["content-type"] == "application/json"
    assert wire.sent[0].headers["authorization"] == "Bearer {{refresh}}"
    same_request(wire)


async def test_the_user_behind_a_token() -> None:
    user, wire = await play("users.token.profile.access", lambda p, _: p.view_user(T))

    assert (user.id, user.username, user.email) == (
        "{{alice_id}}",
        "{{alice_username}}",
        "{{alice_email}}",
    )
    assert (user.role, user.status) == ("user", Status.ENABLED)
    same_request(wire)


async def test_a_domain() -> None:
    domain, wire = await play(
        "domains.get.super_admin", lambda p, _: p.view_domain(T, "{{dom_id}}")
    )

    assert (domain.id, domain.name, domain.route) == ("{{dom_id}}", "dom-x", "{{dom_route}}")
    assert (domain.status, list(domain.tags)) == (Status.ENABLED, ["t"])
    assert domain.metadata == {"k": "v"}
    same_request(wire)


async def test_a_list_of_no_domains() -> None:
    page, wire = await play("domains.list.non_member", lambda p, _: p.list_domains(T, 0, 2))

    assert (page.total, page.limit, list(page.items)) == (0, 2, [])
    same_request(wire)


async def test_a_list_of_certificates() -> None:
    recorded = ROWS["certs.list.entity_none"]["response"]["json"]
    found, wire = await play(
        "certs.list.entity_none", lambda _, c: c.list_certificates(T, A, NOWHERE)
    )

    assert recorded["total"] == 0
    assert found == []
    assert wire.sent[0].url.params["entity_id"] == NOWHERE
    same_request(wire)
