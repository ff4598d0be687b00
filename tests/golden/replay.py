"""Replays recorded exchanges against a service.

``load`` reads a recording, ``by_scenario`` takes it apart, ``replay`` sends the requests in order
and returns what differs: nothing, if the service answers as the recorded one did. A recording's
scenarios each begin with two new, empty domains, which ``replay`` makes by the service's own
routes in the name of the platform's administrator. Where the service is meant to differ, a
``Deviation`` says so, with the reason; they are kept in ``deviations.toml``, and so are the paths
that a Location header names here instead of the recorded one.
"""

from __future__ import annotations

import base64
import itertools
import json
import re
import tomllib
import uuid
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import httpx
from attrs import field, frozen

from tests.golden.comparison import differences

RECORDINGS: Final = Path(__file__).parent.parent / "data" / "golden"
DEVIATIONS: Final = Path(__file__).parent / "deviations.toml"
PASSWORD: Final = "12345678"
PLACEHOLDER: Final = re.compile(r"\{\{(\w+)\}\}")

MOVED: Final[Mapping[str, str]] = {
    one["recorded"]: one["here"]
    for one in tomllib.loads(DEVIATIONS.read_text(encoding="utf-8")).get("moved", ())
}

Row = Mapping[str, Any]
_numbers = itertools.count(1)


@frozen
class Difference:
    """What is not as recorded in the answer to the exchange ``id``."""

    id: str
    what: str


@frozen
class Deviation:
    """Where the service is meant to differ; ``id`` is an exchange's, or a prefix and ``*``.

    ``statuses`` are accepted in place of the recorded one. ``body`` says whether the body is still
    compared where the status is the recorded one.
    """

    id: str
    statuses: Sequence[int]
    reason: str
    body: bool = True

    def covers(self, exchange: str) -> bool:
        """Tell whether it is about ``exchange``."""
        return exchange == self.id or (
            self.id.endswith("*") and exchange.startswith(self.id.removesuffix("*"))
        )


@frozen
class World:
    """What every scenario is given: the administrator, alice and bob, a domain of each."""

    values: Mapping[str, str] = field(repr=False)


def load(name: str) -> list[Row]:
    """Return the rows of the recording ``name`` (``clients``, ``users``, ...)."""
    lines = (RECORDINGS / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines if line]


def by_scenario(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Return the rows of each scenario, in order."""
    scenarios: dict[str, list[Row]] = {}
    for row in rows:
        scenarios.setdefault(row["scenario"], []).append(row)
    return scenarios


def load_deviations(path: Path = DEVIATIONS) -> list[Deviation]:
    """Return the deviations that a file lists."""
    listed = tomllib.loads(path.read_text(encoding="utf-8"))["deviation"]
    return [
        Deviation(one["id"], one["status"], one["reason"], one.get("body", True)) for one in listed
    ]


async def replay(
    http: httpx.AsyncClient,
    rows: Iterable[Row],
    *,
    admin_token: str,
    deviations: Sequence[Deviation] = (),
    given: Mapping[str, str] | None = None,
) -> list[Difference]:
    """Send the requests of ``rows`` and return what differs in the answers.

    ``admin_token`` is the administrator's; ``given`` are placeholders that the recording takes
    from outside of it (``profile_id`` of a layout, for example).
    """
    found: list[Difference] = []
    users = await _make_users(http, admin_token)
    for steps in by_scenario(rows).values():
        scenario = Scenario(http, {**await _make_domains(http, users), **(given or {})})
        for row in steps:
            found += await scenario.step(row, deviations)
    return found


class Scenario:
    """A sequence of exchanges; what one captures, the next ones use."""

    def __init__(self, http: httpx.AsyncClient, values: Mapping[str, str]) -> None:
        """Start with the placeholders that are given."""
        self._http = http
        self._values = dict(values)

    async def step(self, row: Row, deviations: Sequence[Deviation]) -> list[Difference]:
        """Send one request; return what differs in its answer."""
        answer = await self._send(row["request"])
        recorded = row["response"]
        self._capture(row.get("captures", {}), answer)
        deviation = next((one for one in deviations if one.covers(row["id"])), None)
        accepted = deviation.statuses if deviation else [recorded["status"]]
        if answer.status_code not in accepted:
            expected = " or ".join(map(str, accepted))
            text = f"{expected} expected, {answer.status_code} answered: {answer.text[:200]}"
            return [Difference(row["id"], text)]
        if deviation and (not deviation.body or answer.status_code != recorded["status"]):
            return [Difference(row["id"], what) for what in _without_message(answer)]
        return [Difference(row["id"], what) for what in self._compare(recorded, answer)]

    def _compare(self, recorded: Row, answer: httpx.Response) -> list[str]:
        if answer.status_code >= httpx.codes.BAD_REQUEST:
            return _without_message(answer) if recorded.get("json") else []
        found: list[str] = []
        if "json" in recorded:
            found += differences(recorded["json"], _json(answer), self._filled)
        elif "text" in recorded:
            found += differences(recorded["text"], answer.text, self._filled)
        elif "b64" in recorded and answer.content != base64.b64decode(recorded["b64"]):
            found.append("another body than the recorded bytes")
        location = recorded["headers"].get("location")
        if location:
            for prefix, here in MOVED.items():
                if location.startswith(prefix):
                    location = here + location.removeprefix(prefix)
            found += differences(location, answer.headers.get("location"), self._filled, "Location")
        return found

    async def _send(self, request: Row) -> httpx.Response:
        target = self._filled(request["path"])
        # The path goes out as it was recorded, escapes and all.
        url = self._http.base_url.copy_with(raw_path=target.encode())
        headers = {name: self._filled(value) for name, value in request["headers"].items()}
        return await self._http.request(
            request["method"], url, headers=headers, content=self._body(request)
        )

    def _body(self, request: Row) -> bytes | None:
        if "json" in request:
            return json.dumps(self._filled_in(request["json"]), ensure_ascii=False).encode()
        if "text" in request:
            return self._filled(request["text"]).encode()
        return base64.b64decode(request["b64"]) if "b64" in request else None

    def _capture(self, captures: Mapping[str, str], answer: httpx.Response) -> None:
        for name, place in captures.items():
            path = place.removeprefix("response.")
            if path.startswith("header.location"):
                value = answer.headers.get("location", "").rstrip("/").rpartition("/")[2]
            else:
                value = _at(_json(answer), path.removeprefix("json").lstrip("."))
            if isinstance(value, str) and value:
                self._values[name] = value

    def _filled(self, text: str) -> str:
        # A name that nobody gave is an ID that the caller makes up.
        return PLACEHOLDER.sub(
            lambda match: self._values.setdefault(match[1], str(uuid.uuid4())), text
        )

    def _filled_in(self, value: object) -> object:
        if isinstance(value, dict):
            return {self._filled(name): self._filled_in(one) for name, one in value.items()}
        if isinstance(value, list):
            return [self._filled_in(one) for one in value]
        return self._filled(value) if isinstance(value, str) else value


async def _make_users(http: httpx.AsyncClient, admin_token: str) -> dict[str, str]:
    values = {"admin_token": admin_token}
    for name in ("alice", "bob"):
        username = f"{name}{next(_numbers)}"
        email = f"{username}@example.com"
        body = {
            "first_name": name,
            "last_name": "x",
            "email": email,
            "credentials": {"username": username, "secret": PASSWORD},
        }
        made = await http.post("/users", json=body, headers=_bearer(admin_token))
        made.raise_for_status()
        sign_in = {"username": username, "password": PASSWORD}
        tokens = await http.post("/users/tokens/issue", json=sign_in)
        tokens.raise_for_status()
        values |= {
            f"{name}_id": made.json()["id"],
            f"{name}_token": tokens.json()["access_token"],
            f"{name}_username": username,
            f"{name}_email": email,
        }
    return values


async def _make_domains(http: httpx.AsyncClient, users: Mapping[str, str]) -> dict[str, str]:
    values = dict(users)
    for name, user in (("domain_a", "alice"), ("domain_b", "bob")):
        route = f"{name[-1]}{next(_numbers)}"
        headers = _bearer(users[f"{user}_token"])
        made = await http.post("/domains", json={"name": name, "route": route}, headers=headers)
        made.raise_for_status()
        values |= {name: made.json()["id"], f"{name}_route": route}
    return {**values, "dom_route": f"dom{next(_numbers)}"}


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _without_message(answer: httpx.Response) -> list[str]:
    if answer.status_code < httpx.codes.BAD_REQUEST:
        return []
    body = _json(answer)
    told = isinstance(body, dict) and isinstance(body.get("message"), str) and body["message"]
    return [] if told else [f"an error without a message: {answer.text[:200]!r}"]


def _json(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        return None


def _at(document: Any, path: str) -> Any:
    for part in path.split(".") if path else []:
        try:
            if part == "@firstkey":
                document = next(iter(document))
            else:
                document = document[int(part) if isinstance(document, list) else part]
        except (KeyError, IndexError, TypeError, ValueError, StopIteration):
            return None
    return document
