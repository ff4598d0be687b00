"""The adapter on a wire where one recorded exchange takes place."""

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import httpx
from attrs import frozen
from pytest_httpx import HTTPXMock

from bootstrap_core.secrets import Secret
from provision.platform.calls import TransportSettings
from provision.platform.magistrala.adapter import Magistrala
from provision.platform.magistrala.certificates import MagistralaCertificates
from provision.platform.transport import Transport
from provision.platform.types import Client, NewClient, SigningRequest
from tests.platform.faulty import endpoints

RECORDINGS: Final = Path(__file__).parent.parent / "data" / "golden"
NOWHERE: Final = "11111111-2222-4333-8444-555555555555"
TIME: Final = "2026-01-02T03:04:05.123456789Z"
A, T = "{{domain_a}}", Secret("{{alice_token}}")
SIGNED: Final = SigningRequest("{{client_id}}", "csr", timedelta(hours=24))


@frozen
class Exchange:
    """A recorded exchange that took place again, and what the adapter sent in it."""

    row: Mapping[str, Any]
    sent: list[httpx.Request]

    @property
    def answer(self) -> Mapping[str, Any]:
        answer: Mapping[str, Any] = self.row["response"]
        return answer


def rows() -> Mapping[str, Mapping[str, Any]]:
    found = {}
    for path in RECORDINGS.glob("*.jsonl"):
        for line in path.read_text().splitlines():
            row = json.loads(line)
            found[row["id"]] = row
    return found


ROWS: Final = rows()
Act = Callable[[Magistrala, MagistralaCertificates], Awaitable[Any]]


async def play(wire: HTTPXMock, name: str, act: Act) -> tuple[Any, Exchange]:
    """Let the recorded exchange take place, as often as the adapter asks."""
    answer = ROWS[name]["response"]
    body = json.dumps(answer["json"]) if "json" in answer else ""
    wire.add_response(
        status_code=answer["status"], text=body.replace("<time>", TIME), is_reusable=True
    )
    settings = TransportSettings(attempts=1)
    async with Transport(endpoints("http://magistrala.test"), settings) as transport:
        platform = Magistrala(transport)
        result = await act(platform, MagistralaCertificates(transport, platform.clients))
    return result, Exchange(ROWS[name], wire.get_requests())


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
    return NewClient(client_id, name, secret=Secret(secret))
