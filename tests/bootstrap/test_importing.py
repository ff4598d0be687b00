"""Existing data come over, hashes and all, and each row's fate is told."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

import bcrypt
import httpx
import pytest

from bootstrap_core.delivery.secure_transport import SecureTransport
from bootstrap_core.errors import Malformed
from bootstrap_core.importing import Importer, Kind, Outcome, Record, Result, read_api, read_dump
from bootstrap_core.model import new_id
from bootstrap_core.secrets import Secret
from bootstrap_core.store import binding_rows, config_rows
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
        ("configs", {"status": "all"}, "status: 'all' is for lists; allowed are enabled"),
        ("configs", {"status": True}, "status: True is not known; allowed are"),
        ("configs", {"state": "x"}, "state: 'x' is not known; allowed are 0"),
        ("configs", {"state": 7}, "state: 7 is not known; allowed are 0"),
        ("configs", {"state": [1]}, "state: [1] is not known; allowed are 0"),
        ("configs", {"id": "7"}, "id: '7' is not an ID; a UUID is allowed"),
        ("configs", {"id": None, "mainflux_thing": "7"}, "mainflux_thing: '7' is not an ID"),
        ("configs", {"domain_id": "home"}, "domain_id: 'home' is not an ID"),
        ("configs", {"external_key": "$2a$99$zz"}, "external_key: begins as a hash"),
        ("configs", {"external_key": "scrypt$zz.yy"}, "external_key: begins as a hash"),
        ("configs", {"external_key": "$argon2id$v=19$x"}, "external_key: begins as a hash"),
        ("profiles", {"id": "press"}, "id: 'press' is not an ID"),
        ("profiles", {"version": 0}, "version: 0 is not allowed; it is a whole number from 1"),
        ("profiles", {"name": "\ud800"}, "name: a value can't be stored: it has half a character"),
        ("profiles", {"name": "a\0b"}, "name: a value can't be stored: it has a NUL character"),
        ("profiles", {"defaults": {"a": "\udfff"}}, "defaults: a value can't be stored"),
        ("configs", {"content": "\ud800"}, "content: a value can't be stored"),
        ("profiles", {"version": float("inf")}, "can't be stored"),
        ("bindings", {"resource_id": "pump"}, "resource_id: 'pump' is not an ID"),
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
    assert change.get("external_key") in (None, "") or change["external_key"] not in failed.message
    if table != "profiles":
        assert outcomes[0].result is Result.CREATED


async def test_nothing_is_bound_to_the_config_of_another_domain(world: World) -> None:
    await take(importer(world, transport=TRANSPORT), dump(rows(world.domain)))
    theirs = rows(new_id())
    theirs[0]["row"]["slot"] = "stranger"
    outcomes = await take(importer(world, transport=TRANSPORT), dump(theirs))
    failed = {
        outcome.kind: outcome.message for outcome in outcomes if outcome.result is Result.FAILED
    }
    assert "was not taken over" in failed[Kind.BINDING]
    async with world.engine.connect() as connection:
        bound = await binding_rows.of_config(connection, CONFIG)
    assert [binding.slot for binding in bound] == ["mqtt"]


async def test_what_has_a_taken_name_is_told(world: World) -> None:
    await world.make("configs", external_id="gw", external_key="k")
    outcomes = await take(importer(world, transport=TRANSPORT), dump(rows(world.domain)))
    assert outcomes[1].result is Result.FAILED
    assert "external ID" in outcomes[1].message


@pytest.mark.parametrize(
    ("row", "enabled"),
    [({"state": 1}, True), ({"state": 0}, True), ({"status": 1}, False), ({"status": "1"}, False)],
)
async def test_older_columns_are_understood(
    world: World, row: dict[str, Any], enabled: bool
) -> None:
    old = {"client_id": CONFIG, "domain_id": world.domain, "external_id": "old"}
    documents = [{"table": "configs", "row": old | {"external_key": "in clear"} | row}]
    outcomes = await take(importer(world), dump(documents))
    assert outcomes[0].result is Result.CREATED
    assert (await world.fetch("old", "in clear")).status_code == (200 if enabled else 403)


@pytest.mark.parametrize("external_id", ["-", "gw\u202e1", "\u2066gw"])
async def test_a_device_of_then_keeps_an_id_that_no_new_one_is_given(
    world: World, external_id: str
) -> None:
    row = {"id": CONFIG, "domain_id": world.domain, "external_id": external_id}
    documents = [{"table": "configs", "row": row | {"external_key": "in clear"}}]
    (outcome,) = await take(importer(world), dump(documents))
    assert outcome.result is Result.CREATED
    path = quote(external_id, safe="")
    assert (await world.fetch(path, "in clear")).status_code == 200
    removed = await world.call("DELETE", f"/{{d}}/clients/configs/{CONFIG}")
    assert removed.status_code == 204
    assert (await world.fetch(path, "in clear")).status_code == 403
    again = {"external_id": external_id, "external_key": "key"}
    refused = await world.call("POST", "/{d}/clients/configs", json=again)
    assert (refused.status_code, refused.json()["message"][:13]) == (400, "external_id: ")


async def test_a_build_between_releases_has_a_secret_and_no_channels(world: World) -> None:
    old = {"client_id": CONFIG, "domain_id": world.domain, "external_id": "old", "state": 1}
    row = old | {"external_key": "in clear", "client_secret": "s3cret"}
    (outcome,) = await take(importer(world), dump([{"table": "configs", "row": row}]))
    assert (outcome.id, outcome.result) == (CONFIG, Result.CREATED)
    fetched = (await world.fetch("old", "in clear")).json()
    assert (fetched["client_id"], fetched["client_secret"]) == (CONFIG, "s3cret")


async def test_what_can_not_be_taken_of_an_older_dump_is_told(world: World) -> None:
    config = {"mainflux_thing": CONFIG, "domain_id": world.domain, "external_id": "old"}
    documents = [
        {"table": "configs", "row": config | {"external_key": "k", "mainflux_key": "s"}},
        {"table": "channels", "row": {"mainflux_channel": CLIENT, "metadata": None}},
        {"table": "connections", "row": {"config_id": CONFIG, "channel_id": CLIENT}},
        {"table": "connections", "row": {"config_id": CONFIG, "channel_id": "lost"}},
        {"table": "connections", "row": {"config_id": "lost", "channel_id": CLIENT}},
        {"table": "unknown_configs", "row": {"external_id": "x", "external_key": "k"}},
    ]
    outcomes = await take(importer(world), dump(documents))
    assert [each.result for each in outcomes] == [
        Result.CREATED, Result.READ, Result.CREATED, Result.FAILED, Result.FAILED, Result.LEFT
    ]  # fmt: skip
    assert "the dump has no channel lost" in outcomes[3].message
    assert "config lost was not taken over" in outcomes[4].message
    again = await take(importer(world), dump(documents[:3]))
    assert [each.result for each in again] == [Result.THERE, Result.READ, Result.THERE]


@pytest.mark.parametrize("line", ["nonsense", "[]", '{"table": "users", "row": {}}', '{"row": {}}'])
def test_a_line_that_is_no_row_is_told(line: str) -> None:
    good = json.dumps(rows("d")[0])
    with pytest.raises(Malformed, match="line 3:"):
        read_dump([good, "", line])


@pytest.mark.slow
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
