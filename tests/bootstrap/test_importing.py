"""Existing data come over, hashes and all, and each row's fate is told."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import bcrypt
import httpx
import pytest

from bootstrap_core import config_rows
from bootstrap_core.errors import Malformed
from bootstrap_core.import_sources import Kind, Record, read_api, read_dump
from bootstrap_core.importing import Importer, Outcome, Result
from bootstrap_core.model import new_id
from bootstrap_core.secret import Secret
from bootstrap_core.secure_transport import SecureTransport
from tests.bootstrap.world import ALICE, ENCRYPT_KEY, SEALER, World, app_of, client_of, running

TRANSPORT = SecureTransport(Secret(ENCRYPT_KEY))
PROFILE, CONFIG, CLIENT = new_id(), new_id(), new_id()


def bytea(value: Any) -> str:
    """Write JSON as PostgreSQL writes a bytea column."""
    return "\\x" + json.dumps(value).encode().hex()


def rows(domain_id: str) -> list[dict[str, Any]]:
    """Return what a dump of the Go service holds, bindings first."""
    secret = {"ciphertext": TRANSPORT.encrypt(b'{"secret": "s3cret"}').hex()}
    hashed = bcrypt.hashpw(b"device-key", bcrypt.gensalt(4)).decode().replace("$2b$", "$2a$")
    return [
        {
            "table": "bindings",
            "row": {
                "config_id": CONFIG,
                "slot": "mqtt",
                "type": "client",
                "resource_id": CLIENT,
                "snapshot": {"id": CLIENT, "name": "c"},
                "secret_snapshot": bytea(secret),
                "updated_at": "2026-05-05T10:00:00.123456",
            },
        },
        {
            "table": "configs",
            "row": {
                "id": CONFIG,
                "domain_id": domain_id,
                "external_id": "gw",
                "external_key": hashed,
                "name": "gateway",
                "client_key": "PRIVATE",
                "status": 0,
                "profile_id": PROFILE,
                "render_context": {"site": "north"},
                "content": None,
            },
        },
        {
            "table": "profiles",
            "row": {
                "id": PROFILE,
                "domain_id": domain_id,
                "name": "p",
                "template_format": "go-template",
                "content_template": "{{ .Vars.site }} {{ .Bindings.mqtt.Secret.secret }}",
                "defaults": {},
                "binding_slots": [{"name": "mqtt", "type": "client", "required": True}],
                "version": 7,
                "created_at": "2026-05-05T10:00:00",
                "updated_at": "2026-05-06T10:00:00Z",
            },
        },
    ]


def importer(world: World, **options: Any) -> Importer:
    return Importer(world.engine, SEALER, world.core.hasher, **options)


async def take(importer: Importer, records: Iterable[Record]) -> list[Outcome]:
    return [outcome async for outcome in importer.run(records)]


def dump(documents: Iterable[dict[str, Any]]) -> list[Record]:
    return read_dump(json.dumps(document) + "\n" for document in documents)


async def test_a_device_of_the_old_service_is_served_by_this_one(world: World) -> None:
    outcomes = await take(importer(world, transport=TRANSPORT), dump(rows(world.domain)))
    assert [(each.kind, each.result) for each in outcomes] == [
        (Kind.PROFILE, Result.CREATED),
        (Kind.CONFIG, Result.CREATED),
        (Kind.BINDING, Result.CREATED),
    ]
    fetched = (await world.fetch("gw", "device-key")).json()
    assert fetched["id"] == CONFIG
    assert fetched["content"] == "north s3cret"
    assert fetched["client_key"] == "PRIVATE"
    profile = await world.call("GET", f"/{{d}}/clients/bootstrap/profiles/{PROFILE}")
    assert profile.json()["version"] == 7
    assert profile.json()["created_at"] == "2026-05-05T10:00:00Z"


async def test_an_import_may_be_repeated(world: World) -> None:
    records = dump(rows(world.domain))
    await take(importer(world, transport=TRANSPORT), records)
    async with world.engine.connect() as connection:
        before = await config_rows.find(connection, world.domain, CONFIG)
    again = await take(importer(world, transport=TRANSPORT), records)
    assert {each.result for each in again} == {Result.THERE}
    async with world.engine.connect() as connection:
        assert await config_rows.find(connection, world.domain, CONFIG) == before


async def test_rows_may_go_into_another_domain(world: World) -> None:
    records = dump(rows(new_id()))
    await take(importer(world, transport=TRANSPORT, into_domain=world.domain), records)
    assert (await world.call("GET", f"/{{d}}/clients/configs/{CONFIG}")).status_code == 200


async def test_without_the_old_key_secrets_stay_closed_and_that_is_told(world: World) -> None:
    outcomes = await take(importer(world), dump(rows(world.domain)))
    assert outcomes[2].result is Result.INCOMPLETE
    assert "refresh" in outcomes[2].message
    world.platform.add_client(world.domain, client_id=CLIENT, secret="new")
    path = f"/{{d}}/clients/bootstrap/enrollments/{CONFIG}/bindings/refresh"
    assert (await world.call("POST", path)).status_code == 204
    assert (await world.fetch("gw", "device-key")).json()["content"] == "north new"


@pytest.mark.parametrize(
    ("table", "change", "reason"),
    [
        ("profiles", {"content_format": "xml", "template_format": None}, "xml"),
        ("profiles", {"content_template": "{{ if }}"}, "content_template"),
        ("profiles", {"binding_slots": [{"name": "a", "type": "spaceship"}]}, "spaceship"),
        ("profiles", {"version": "seven"}, "version"),
        ("configs", {"external_key": ""}, "external_key"),
        ("configs", {"profile_id": new_id()}, "profile_id"),
        ("configs", {"status": 9}, "status"),
        ("bindings", {"config_id": new_id()}, "config_id"),
        ("bindings", {"type": "cert"}, "cert"),
        ("bindings", {"updated_at": "yesterday"}, "updated_at"),
    ],
)
async def test_a_row_that_cannot_be_taken_is_told_and_the_others_are_taken(
    world: World, table: str, change: dict[str, Any], reason: str
) -> None:
    documents = rows(world.domain)
    for document in documents:
        if document["table"] == table:
            document["row"] |= change
    outcomes = await take(importer(world, transport=TRANSPORT), dump(documents))
    failed = next(each for each in outcomes if each.kind == table)
    assert failed.result is Result.FAILED
    assert reason in failed.message
    assert failed.place.startswith("line ")
    if table != "profiles":
        assert outcomes[0].result is Result.CREATED


async def test_what_has_a_taken_name_is_told(world: World) -> None:
    await world.make("configs", external_id="gw", external_key="k")
    outcomes = await take(importer(world, transport=TRANSPORT), dump(rows(world.domain)))
    assert outcomes[1].result is Result.FAILED
    assert "external ID" in outcomes[1].message


@pytest.mark.parametrize(
    ("row", "enabled"),
    [({"state": 1}, True), ({"state": 0}, False), ({"status": 1}, False), ({"status": "1"}, False)],
)
async def test_older_columns_are_understood(
    world: World, row: dict[str, Any], enabled: bool
) -> None:
    old = {"client_id": CONFIG, "domain_id": world.domain, "external_id": "old"}
    documents = [{"table": "configs", "row": old | {"external_key": "in clear"} | row}]
    outcomes = await take(importer(world), dump(documents))
    assert outcomes[0].result is Result.CREATED
    assert (await world.fetch("old", "in clear")).status_code == (200 if enabled else 403)


@pytest.mark.parametrize("line", ["nonsense", "[]", '{"table": "users", "row": {}}', '{"row": {}}'])
def test_a_line_that_is_no_row_is_told(line: str) -> None:
    good = json.dumps(rows("d")[0])
    with pytest.raises(Malformed, match="line 3:"):
        read_dump([good, "", line])


async def test_the_api_of_a_service_can_be_read(world: World, tmp_path: Any) -> None:
    await take(importer(world, transport=TRANSPORT), dump(rows(world.domain)))
    for number in range(105):
        await world.make("configs", external_id=f"gw-{number}", external_key="k")
    source = client_of(app_of(list(world.core.routes())))
    keys = {"gw": Secret("device-key"), "gw-7": Secret("k")}
    records = [record async for record in read_api(source, world.domain, Secret(ALICE), keys)]
    assert len(records) == 1 + 106 + 1
    (tmp_path / "second").mkdir()
    async with running(tmp_path / "second") as second:
        target = importer(second, into_domain=second.domain)
        outcomes = await take(target, records)
        results = [each.result for each in outcomes if each.kind is Kind.CONFIG]
        assert results.count(Result.CREATED) == 2
        assert results.count(Result.FAILED) == 104
        assert outcomes[-1].result is Result.INCOMPLETE
        assert (await second.fetch("gw-7", "k")).status_code == 200


@pytest.mark.parametrize(
    "answer",
    [httpx.Response(403, json={"message": "no"}), httpx.Response(200, text="<html>")],
)
async def test_an_api_that_does_not_answer_is_told(answer: httpx.Response) -> None:
    transport = httpx.MockTransport(lambda _: answer)
    async with httpx.AsyncClient(transport=transport, base_url="http://old.test") as http:
        with pytest.raises(Malformed, match="bootstrap service"):
            await anext(read_api(http, "domain", Secret("token"), {}))
